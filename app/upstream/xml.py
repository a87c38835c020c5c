"""Hardened decoding of the platform's XML into plain dictionaries.

The platform's replies are loosely formed: a byte-order mark or blank lines before the declaration, GBK text, bare
ampersands, control characters. Those are repaired, since no repair here can change a value. A document that is still
not well-formed is refused as a whole: half a reply is never taken for a reply.
"""

import codecs
import re
from collections.abc import Callable
from typing import Any
from xml.parsers import expat

import xmltodict

from app.upstream.elements import Special, TooDeep, parse_plain

MAX_DEPTH = 16

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Whoever says GB2312 or GBK means whatever the database holds; GB 18030 contains both.
_ENCODINGS = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5", "iso-8859-1": "cp1252"}
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._-]+)""", re.IGNORECASE)
_HTML = re.compile(r"^(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A CDATA section stays as it is, up to the end of the text if it has none, so that no other one looks for it again; a
# reference to a character that XML forbids goes; an ampersand that begins no reference stands for itself.
_REPAIRABLE = re.compile(
    r"(?P<kept><!\[CDATA\[(?>.*?\]\]>|.*))"
    r"|(?P<forbidden>&#(?:0*(?:[0-8]|1[1245-9]|2[0-9]|3[01])|x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]));)"
    r"|&(?!(?:#[0-9]+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)",
    re.DOTALL,
)


class NotWellFormed(ValueError):
    """The bytes are not the XML document that was promised; the text says why and quotes nothing."""


def decode_text(body: bytes, content_type: str = "") -> tuple[str, bool]:
    """Decode a reply's bytes to text.

    The XML declaration decides over the Content-Type's charset, and UTF-8 is the default (manual, preface, note 2).

    Returns:
        The text without byte-order mark, and whether every byte could be decoded; the others become U+FFFD, so that
        one name cut in the middle of a character does not hide a whole list.
    """
    encoding = encoding_of(body, content_type)
    try:
        text, clean = body.decode(encoding), True
    except UnicodeDecodeError:
        text, clean = body.decode(encoding, "replace"), False
    return text.removeprefix("\ufeff"), clean


def encoding_of(body: bytes, content_type: str) -> str:
    """Return the codec of a reply, from its first bytes and its Content-Type."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if body.startswith(codecs.BOM_UTF8):
        return "utf-8"
    declared = _DECLARED.match(body)
    charset = _CHARSET.search(content_type)
    name = declared[1].decode("ascii") if declared else charset[1] if charset else "utf-8"
    return _ENCODINGS.get(name.lower(), "utf-8")


def looks_like_html(text: str) -> bool:
    """Tell whether a reply is a web page, the platform's way of failing outside its API."""
    return _HTML.match(text.lstrip()) is not None


def without_declaration(text: str) -> str:
    """Return a document without its XML declaration."""
    return _DECLARATION.sub("", text, count=1)


def parse(text: str, *, first_line: int = 1) -> tuple[str, Any]:
    """Parse a document.

    Args:
        text: the document.
        first_line: the number its first line has in what errors refer to.

    Returns:
        The root element's name and its content: a string or None for a leaf, a dictionary otherwise, in which an
        element that occurs several times is a list (xmltodict's conventions).

    Raises:
        NotWellFormed: not one complete XML document, or one with a DOCTYPE, an entity, or more than `MAX_DEPTH` levels.
    """
    text = without_declaration(text.strip())
    try:
        return parse_plain(text, levels=MAX_DEPTH)
    except Special:
        pass
    except TooDeep:
        raise _too_deep() from None
    try:
        return _parse(text)
    except expat.ExpatError:
        return _parse_repaired(text, first_line)


def _parse_repaired(text: str, first_line: int) -> tuple[str, Any]:
    repaired = _REPAIRABLE.sub(_repaired, _FORBIDDEN.sub("", text))
    try:
        return _parse(repaired)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "syntax error")
        line = first_line + error.lineno - 1
        raise NotWellFormed(f"not well-formed XML: {reason} at line {line}") from None


def _repaired(match: re.Match[str]) -> str:
    return match["kept"] or ("" if match["forbidden"] else "&amp;")


def _parse(text: str) -> tuple[str, Any]:
    encoded = text.encode("utf-8", "replace")
    ((root, content),) = xmltodict.parse(encoded, encoding="utf-8", expat=_GuardedExpat).items()
    return root, content


class _GuardedExpat:
    """What xmltodict needs of expat, with a parser that refuses a DOCTYPE and deep nesting."""

    @staticmethod
    def ParserCreate(encoding: str | None, namespace_separator: str | None) -> "_GuardedParser":  # noqa: N802 - expat's name
        return _GuardedParser(expat.ParserCreate(encoding, namespace_separator))


class _GuardedParser:
    def __init__(self, parser: expat.XMLParserType) -> None:
        parser.StartDoctypeDeclHandler = _refuse_doctype
        self.__dict__.update(_parser=parser, _depth=0)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "StartElementHandler":
            value = self._entering(value)
        elif name == "EndElementHandler":
            value = self._leaving(value)
        setattr(self.__dict__["_parser"], name, value)

    def Parse(self, data: bytes, final: bool) -> None:  # noqa: N802 - expat's signature
        self.__dict__["_parser"].Parse(data, final)

    def _entering(self, handler: Callable[..., None]) -> Callable[..., None]:
        state = self.__dict__

        def enter(name: str, attributes: Any) -> None:
            state["_depth"] += 1
            if state["_depth"] > MAX_DEPTH:
                raise _too_deep()
            handler(name, attributes)

        return enter

    def _leaving(self, handler: Callable[..., None]) -> Callable[..., None]:
        state = self.__dict__

        def leave(name: str) -> None:
            state["_depth"] -= 1
            handler(name)

        return leave


def _too_deep() -> NotWellFormed:
    return NotWellFormed(f"more than {MAX_DEPTH} levels of elements")


def _refuse_doctype(*_: object) -> None:
    raise NotWellFormed("a document type declaration")
