"""Secrets that are planted, and every form in which they could come to light."""

import base64
import hashlib
import html
import json
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[str]:
    """Return every form in which a secret could stand somewhere."""
    raw = secret.encode()
    encodings = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {
        secret,
        # What is left of a secret whose special characters were treated in some other way.
        *(part for part in secret.replace("_", ":").replace("-", ":").split(":") if "Canary" in part),
        secret[: secret.index("Canary") + 10] if "Canary" in secret else secret[:24],
        *encodings,
        *(encoded.lower() for encoded in encodings),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        base64.b64encode(f"acme:{secret}".encode()).decode().rstrip("="),
        hashlib.md5(raw).hexdigest(),
    }
