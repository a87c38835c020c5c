"""JSON in gzip: what is worth it, and what the headers say then."""

import asyncio
import gzip
from collections.abc import Sequence

Header = tuple[bytes, bytes]

_LEAST = 1024
_LARGE = 64 * 1024
_LEVEL = 1
"""A twentieth larger than the usual level, in a third of the time."""


def is_worth_compressing(headers: Sequence[Header]) -> bool:
    """Tell whether an answer is JSON of a kibibyte or more, in one piece and not encoded yet."""
    fields = dict(headers)
    return (
        fields.get(b"content-type") == b"application/json"
        and int(fields.get(b"content-length", b"0")) >= _LEAST
        and b"content-encoding" not in fields
    )


async def compressed(body: bytes) -> bytes:
    """Compress a body; a large one where it does not stop the loop."""
    if len(body) < _LARGE:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


def encoded(headers: Sequence[Header], length: int) -> list[Header]:
    """Return the headers of the same answer in gzip; its entity tag is a weak one, since its bytes are others."""
    changed = {b"content-length": b"%d" % length}
    kept = [(name, weak(value) if name == b"etag" else changed.get(name, value)) for name, value in headers]
    return [*kept, (b"content-encoding", b"gzip")]


def weak(tag: bytes) -> bytes:
    """Return the weak form of an entity tag."""
    return tag if tag.startswith(b"W/") else b"W/" + tag


def with_vary(headers: Sequence[Header]) -> list[Header]:
    """Return headers that tell caches of the request's `Accept-Encoding`."""
    given = b", ".join(value for name, value in headers if name == b"vary")
    if b"accept-encoding" in given.lower():
        return list(headers)
    others = [each for each in headers if each[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*filter(None, [given]), b"Accept-Encoding"]))]
