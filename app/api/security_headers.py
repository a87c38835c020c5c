"""Headers that every answer carries."""

from collections.abc import Iterable

Headers = tuple[tuple[bytes, bytes], ...]

_POLICY = b"content-security-policy"
_OF_PAGES: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_OF_DATA: Headers = (*_OF_PAGES, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))


def security_headers(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what is to be added to an answer's headers; a page that has a policy of its own keeps it."""
    return _OF_PAGES if any(name == _POLICY for name, _ in given) else _OF_DATA
