"""What tells one request from another under the same idempotency key."""

import hashlib
import re

from starlette.datastructures import Headers
from starlette.types import Scope

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(values: list[str]) -> str | None:
    """Return the key that `Idempotency-Key` headers carry, bare or as the draft's quoted string.

    Raises:
        ValueError: there are several, or it is not 1 to 255 visible ASCII characters.
    """
    if not values:
        return None
    key = values[0].strip()
    if len(key) >= 2 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise ValueError("Idempotency-Key must stand once and have 1 to 255 visible ASCII characters.")
    return key


def head_fingerprint(scope: Scope, headers: Headers) -> str:
    """Return the fingerprint of what is known before the body: method, path, query and media type."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    parts = [scope["method"], scope["path"], scope["query_string"].decode("latin-1"), media_type]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class BodyFingerprint:
    """Hashes a body as it passes.

    The boundary of a multipart body is left out: clients draw a new one each time they write the same form.

    Args:
        content_type: the request's media type with its parameters.
    """

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.search(content_type) if content_type.lower().startswith("multipart/") else None
        self._boundary = found[1].strip().encode() if found else b""
        self._hash = hashlib.sha256()
        self._tail = b""

    def update(self, chunk: bytes) -> None:
        """Take in the next bytes."""
        if not self._boundary:
            self._hash.update(chunk)
            return
        *whole, last = (self._tail + chunk).split(self._boundary)
        for part in whole:
            self._hash.update(part)
            self._hash.update(b"\0boundary\0")
        kept = min(len(last), len(self._boundary) - 1)
        self._hash.update(last[: len(last) - kept])
        self._tail = last[len(last) - kept :]

    def finish(self) -> str:
        """Return the fingerprint of all that was taken in."""
        self._hash.update(self._tail)
        self._tail = b""
        return self._hash.hexdigest()
