"""A reply's bytes as text: valid UTF-8 whatever is claimed, else the encoding that is declared, else GB 18030.

No reading puts U+FFFD in the place of a character: where none is right, the reply is refused.
"""

import codecs
import re

from app.upstream.drift import UnexpectedForm

_HEAD = 1024
_WINDOW = 1024
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]+)""", re.IGNORECASE)
_HIGH = re.compile(rb"[\x80-\xff]")
_WIDE = re.compile("[\u0800-\ufffc]")
# The labels of the WHATWG Encoding Standard, as far as they differ from what Python calls the encoding.
_LABELS = {
    "gb18030": "gb18030 gbk x-gbk cp936 ms936 windows-936 gb2312 gb_2312 gb_2312-80 chinese csgb2312 csiso58gb231280"
    " iso-ir-58 euc-cn",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5 cp950 windows-950",
    "cp1252": "windows-1252 x-cp1252 cp1252 iso-8859-1 iso8859-1 iso_8859-1 latin1 l1 ascii us-ascii ansi_x3.4-1968"
    " cp819 ibm819 iso-ir-100 csisolatin1",
    "cp932": "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j csshiftjis ms932",
    "euc_jp": "euc-jp x-euc-jp cseucpkdfmtjapanese",
    "cp949": "euc-kr korean ks_c_5601-1987 ksc5601 windows-949 cseuckr iso-ir-149",
    "utf-8": "utf-8 utf8 unicode-1-1-utf-8 x-unicode20utf8",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_SAME_IN_PYTHON = re.compile(r"(?:iso-8859-(?:[2-8]|1[0-6])|windows-125[0-8]|koi8-[ru]|utf-16(?:[lb]e)?)")


class Undecodable(UnexpectedForm):
    """There is no encoding in which the bytes are text."""


def codec_of(label: str) -> str | None:
    """Return Python's codec for an encoding's label; None for one that nobody knows."""
    label = label.strip().lower()
    return _CODECS.get(label) or (label if _SAME_IN_PYTHON.fullmatch(label) else None)


def declared_encoding(head: bytes, content_type: str) -> str | None:
    """Return the codec that the XML declaration names, or else the Content-Type."""
    declared = _DECLARED.search(head[:_HEAD])
    charset = _CHARSET.search(content_type)
    named = [declared[1].decode("ascii")] if declared else []
    named += [charset[1]] if charset else []
    return next((codec for label in named if (codec := codec_of(label))), None)


def decode_text(body: bytes, content_type: str = "") -> tuple[str, bool]:
    """Return a reply's text, and whether it was written in the encoding that it declares.

    Raises:
        Undecodable: no reading is right.
    """
    declared = declared_encoding(body, content_type)
    codec = _codec(body, declared, final=True)
    text = body.decode(codec)
    return text.removeprefix("\ufeff"), codec in {declared or "utf-8", "utf-16"} or body.isascii()


def encoding_of(body: bytes, content_type: str) -> str:
    """Return the codec of a reply, whose last character may be cut; raises `Undecodable` where no reading is right."""
    return _codec(body, declared_encoding(body, content_type), final=False)


def _codec(body: bytes, declared: str | None, *, final: bool) -> str:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    broken = _broken_at(body, "utf-8", final=final)
    if broken is None:
        return "utf-8"
    others = [declared] if declared not in {None, "utf-8", "gb18030"} else []
    for codec in [*others, "gb18030"]:
        if codec == "gb18030" and _is_mostly_utf8(body, broken) and declared != "gb18030":
            break
        if codec and _broken_at(body, codec, final=final) is None:
            return codec
    raise Undecodable("bytes that are text in no encoding")


def _broken_at(body: bytes, codec: str, *, final: bool) -> int | None:
    try:
        codecs.getincrementaldecoder(codec)().decode(body, final)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _is_mostly_utf8(body: bytes, at: int) -> bool:
    # UTF-8 of which a character was cut reads as GB 18030, too: as other characters.
    around = body[max(at - _WINDOW, 0) : at + _WINDOW].decode("utf-8", "replace")
    return len(_WIDE.findall(around)) > around.count("\ufffd")


class TextDecoder:
    """Decodes a reply wherever its bytes are cut.

    The encoding is decided by the first KiB from the first byte on that is not ASCII.
    """

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._head = b""
        self._held = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self.as_declared = True
        self.lossy = False
        """Whether a character was lost before the text was written."""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text that is complete with these bytes; raises `Undecodable` where no reading is right."""
        if self._decoder is not None:
            return self._decoded(data, final=final)
        if len(self._head) < _HEAD:
            self._head += data[:_HEAD]
        data, self._held = self._held + data, b""
        high = _HIGH.search(data)
        if high is None:
            return data.decode("ascii")
        plain, self._held = data[: high.start()], data[high.start() :]
        if not final and len(self._held) < _WINDOW:
            return plain.decode("ascii")
        declared = declared_encoding(self._head, self._content_type)
        codec = _codec(self._held[:_WINDOW], declared, final=final and len(self._held) <= _WINDOW)
        self.as_declared = codec in {declared or "utf-8", "utf-16"}
        self._decoder = codecs.getincrementaldecoder(codec)()
        held, self._held = self._held, b""
        return plain.decode("ascii") + self._decoded(held, final=final).removeprefix("\ufeff")

    def _decoded(self, data: bytes, *, final: bool) -> str:
        try:
            text = self._decoder.decode(data, final) if self._decoder else ""
        except UnicodeDecodeError:
            raise Undecodable("bytes that are not text in the encoding of what came before") from None
        self.lossy |= "\ufffd" in text
        return text
