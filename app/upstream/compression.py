"""Undoing compression that a platform applies without being asked, a bounded portion at a time."""

import zlib
from collections.abc import Iterator

from app.upstream.encodings import codec_of

PORTION = 64 * 1024
_COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate"})
_NONE = frozenset({"", "identity", "none", "binary", "8bit", "7bit"})
_PADDING = b"\0 \t\r\n"


class BrokenCompression(ValueError):
    """The body is not what its Content-Encoding says, or stops in the middle."""


class Decompressor:
    """Undoes one reply's Content-Encoding; only gzip and deflate, with zlib's frame or without, can be undone."""

    def __init__(self, encoding: str) -> None:
        names = [each.strip(" \"'") for each in encoding.lower().split(",")]
        # Some write the charset where the compression belongs.
        self._name = ",".join(name for name in names if name not in _NONE and codec_of(name) is None)
        self._stream: zlib._Decompress | None = None
        self._head = b""
        self._is_padded = False

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Yield what a chunk holds, in portions of at most `PORTION` bytes, however much it expands to.

        Raises:
            BrokenCompression: it is broken, or of a kind that is not known.
        """
        if not self._name:
            for start in range(0, len(data), PORTION):
                yield data[start : start + PORTION]
            return
        part = b""
        while data or len(part) == PORTION:
            part = b""
            if self._stream is None:
                data = self._begin(data)
                if self._stream is None:
                    return
            try:
                part = self._stream.decompress(data, PORTION)
            except zlib.error:
                raise BrokenCompression from None
            if part:
                yield part
            data = self._stream.unconsumed_tail
            if self._stream.eof:
                # Members of a gzip file may follow one another (RFC 1952, section 2.2), and padding them.
                data, self._stream, self._is_padded = self._stream.unused_data, None, True

    def _begin(self, data: bytes) -> bytes:
        """Begin a member as soon as its form can be told; return the bytes that belong to it."""
        data, self._head = self._head + data, b""
        if self._is_padded and not data.strip(_PADDING):
            return b""
        if self._name not in _COMPRESSIONS or (self._is_padded and data[:1] != b"\x1f"):
            raise BrokenCompression
        if len(data) < 2:
            self._head = data
            return b""
        framed = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        raw = self._name == "deflate" and not framed and data[:2] != b"\x1f\x8b"
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS if raw else 47)
        return data

    def end(self) -> None:
        """Check that nothing is missing.

        Raises:
            BrokenCompression: the last member is not complete.
        """
        if self._stream is not None or self._head:
            raise BrokenCompression
