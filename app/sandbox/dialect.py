"""Writing the XML that the U-Mail service writes, habits included.

Values may stand in white space and CRLF, empty elements mean "no value", some text comes as CDATA, and the two
import replies carry a stray semicolon. Everything here turns plain values into text; nothing reads state.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class SandboxReply:
    """What an operation answers: a body, its content type and further headers; always HTTP 200 unless said."""

    body: bytes
    content_type: str = HTML
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def leaf(tag: str, value: object = "") -> str:
    """Write ``<tag>value</tag>``; an empty value gives an empty element."""
    return f"<{tag}>{escape(str(value))}</{tag}>\r\n"


def padded(tag: str, value: object) -> str:
    """Write a value surrounded by CRLF and blanks, as the live service does for some fields."""
    return f"<{tag}>\r\n   {escape(str(value))}\r\n </{tag}>\r\n"


def cdata(tag: str, value: object) -> str:
    """Write a value as CDATA; a ``]]>`` inside it is split over two sections."""
    text = str(value).replace("]]>", "]]]]><![CDATA[>")
    return f"<{tag}><![CDATA[{text}]]></{tag}>\r\n"


def group(tag: str, parts: Iterable[str]) -> str:
    """Write an element that holds other elements; without any it is an empty element."""
    return f"<{tag}>{''.join(parts)}</{tag}>\r\n"


def leaves(pairs: Iterable[tuple[str, object]]) -> str:
    """Write several plain elements in a row."""
    return "".join(leaf(tag, value) for tag, value in pairs)


def document(root: str, *, declared: bool = True) -> SandboxReply:
    """Make a reply of a root element; ``declared=False`` leaves out the XML declaration, as section 3.1 shows."""
    return SandboxReply(((DECLARATION if declared else "") + root).encode())


def result(status: str, data: object, *, record_id: int | None = None, stray: bool = False) -> SandboxReply:
    """Make a ``<result>`` reply.

    ``record_id`` adds the ``<id>`` of section 5.1; ``stray`` puts the semicolon of sections 4.9.3 and 4.9.4 behind
    ``</data>``.
    """
    text = cdata("data", data)
    if stray:
        text = text.rstrip() + ";\r\n"
    identifier = "" if record_id is None else leaf("id", record_id)
    return document(group("result", ["\r\n", padded("status", status), identifier, text]))


def plain_text(lines: Iterable[str]) -> SandboxReply:
    """Make a text export, one record a line; the live service labels it as HTML all the same."""
    return SandboxReply("".join(f"{line}\r\n" for line in lines).encode())
