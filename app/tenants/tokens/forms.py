"""What tells a token from an API key."""

from app.tenants.keys import PREFIX


def looks_like_token(presented: str) -> bool:
    """Tell whether what a request presents is a JWT and no API key."""
    return presented.count(".") == 2 and not presented.startswith(PREFIX)
