"""Incremental decoding: a reply's bytes in pieces in, its text in pieces out."""

import codecs

from app.upstream.xml import encoding_of

_HEAD_BYTES = 1024
_LEADING = b" \t\r\n"
_DECLARATION = b"<?xml"


class TextDecoder:
    """Decodes a reply as `app.upstream.xml.decode_text` does, wherever its bytes are cut.

    Bytes that cannot be decoded become U+FFFD, so the text is valid Unicode whatever is sent.

    Args:
        content_type: the reply's Content-Type, whose charset counts where no declaration names one.
    """

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self.lossy = False
        """Whether a character was lost, by this decoder or before the text was written."""

    def feed(self, data: bytes) -> str:
        """Return the text that is complete with these bytes; the first bytes wait until the encoding is known."""
        if self._decoder is not None:
            return self._checked(self._decoder.decode(data))
        self._head += data
        return self._begin() if _tells_encoding(self._head) else ""

    def end(self) -> str:
        """Return the rest of the text."""
        begun = self._begin() if self._decoder is None else ""
        return begun + (self._checked(self._decoder.decode(b"", True)) if self._decoder else "")

    def _begin(self) -> str:
        self._decoder = codecs.getincrementaldecoder(encoding_of(self._head, self._content_type))("replace")
        return self._checked(self._decoder.decode(self._head)).removeprefix("\ufeff")

    def _checked(self, text: str) -> str:
        if "\ufffd" in text:
            self.lossy = True
        return text


def _tells_encoding(head: bytes) -> bool:
    if len(head) >= _HEAD_BYTES or b"?>" in head:
        return True
    start = head.removeprefix(codecs.BOM_UTF8).lstrip(_LEADING)[: len(_DECLARATION)]
    # A byte-order mark may itself be cut in two.
    return len(head) > len(codecs.BOM_UTF8) and bool(start) and not _DECLARATION.startswith(start)
