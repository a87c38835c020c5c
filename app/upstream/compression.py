"""Undoing compression that a platform applies without being asked, a bounded portion at a time."""

import zlib
from collections.abc import Iterator

PORTION = 64 * 1024
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class BrokenCompression(ValueError):
    """The body is not what its Content-Encoding says, or stops in the middle."""


class Decompressor:
    """Undoes one reply's Content-Encoding.

    Args:
        encoding: the header's value; only gzip and deflate can be undone.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        self._stream = zlib.decompressobj(_WINDOWS[self._encoding]) if self._encoding in _WINDOWS else None
        self._begun = False

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Yield what a chunk holds, in portions of at most `PORTION` bytes, however much it expands to.

        Raises:
            BrokenCompression: it is broken, or of a kind that is not known.
        """
        if self._stream is None:
            if self._encoding not in {"", "identity"}:
                raise BrokenCompression
            for start in range(0, len(data), PORTION):
                yield data[start : start + PORTION]
            return
        part = b""
        while data or len(part) == PORTION:
            try:
                part = self._stream.decompress(data, PORTION)
            except zlib.error:
                raise BrokenCompression from None
            if part:
                yield part
            self._begun, data = True, self._stream.unconsumed_tail
            if self._stream.eof:
                # Members of a gzip file may follow one another (RFC 1952, section 2.2).
                self._begun, data = False, self._stream.unused_data
                self._stream = zlib.decompressobj(_WINDOWS[self._encoding])

    def end(self) -> None:
        """Check that nothing is missing.

        Raises:
            BrokenCompression: the last member is not complete.
        """
        if self._begun:
            raise BrokenCompression
