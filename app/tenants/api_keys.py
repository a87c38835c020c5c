"""API keys: making and hashing them.

A key carries 256 random bits, so a plain SHA-256 is a sound stored form and costs microseconds per request.
"""

import hashlib
import secrets

PREFIX = "umg_"
_SHOWN = 8


def generate_key() -> str:
    """Return a new API key; it is shown once and only its hash is kept."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Return the SHA-256 of the whole key as lower-case hex, the form that is stored and compared."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def shown_part(key: str) -> str:
    """Return the beginning of a key, by which people recognize it; the 35 characters left hold more than 200 bits."""
    return key[: len(PREFIX) + _SHOWN]
