"""The platform's XML, letter by letter: what its tokens are, what is repaired in them, and the trees they make.

A repair never changes a value: it reads what was meant where that is beyond doubt. What is not well-formed even so is
refused as a whole, since half a reply is never taken for a reply.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from html.entities import html5
from typing import Any
from xml.parsers import expat

from app.upstream.drift import DriftKind, NotWellFormed, UnexpectedForm

MAX_DEPTH = 16
_MAX_ELEMENTS = 60_000
_MAX_NAMES = 512
_MAX_SIGNS = 300_000
"""Places that are looked at for a repair: twice the tags of as many elements as there may be, and some more."""
_SLICE = 65_536

SURPLUS = " \t\r\n\0\ufeff"
"""What may stand around anything without saying anything."""
_NAME = r"[A-Za-z_\u00c0-\u02ff\u0370-\u1fff\u3001-\ud7ff\uf900-\ufffd][\w.:\-\u00b7]{0,63}"
TOKEN = re.compile(
    r"[^<]+"
    rf"|(?P<end></(?P<ended>{_NAME})\s*>)"
    rf"|(?P<start><(?P<name>{_NAME})(?:\s[^<>]{{0,1024}}|/)?>)"
    r"|(?P<section><!\[(?i:CDATA)\[.*?\]\]>)|<!--.*?-->|<\?.*?\?>",
    re.DOTALL,
)
LEAVES = re.compile(rf"(?:[^<]*+<({_NAME})>[^<]*+</\1>)++")
"""Elements that are plainly whole, which need not be looked at token by token."""
UNFINISHED = re.compile(
    rf"<(?:/?(?:{_NAME}(?:\s[^<>]{{0,1024}}|/)?)?|\?.*|!(?:-?|--.*|\[[A-Za-z]{{0,5}}|\[(?i:CDATA)\[.*))\Z", re.DOTALL
)
"""What may become a token once there is more text."""
HTML = frozenset(
    "a b big blockquote br center code dd div dl dt em font h1 h2 h3 h4 h5 h6 hr i li ol p pre small span strong table"  # noqa: SIM905 - one a line is no easier to read
    " tbody td th thead tr tt u ul".split()
)
"""Elements in which a web server and PHP write what went wrong."""
CLEAN_PROLOG = re.compile(
    r"\ufeff?\s*+(?:<\?xml[^<>]*+(?<=\?)>)?+(?:\s++|<!--(?:(?!--).)*+-->|<\?(?!(?i:xml))(?:(?!\?>).)*+\?>)*+", re.DOTALL
)
"""What may stand before a root."""
_WEB_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Sections, comments and instructions are taken to the end of the text if they have none, so that no other one looks
# for it again.
_REPAIRABLE = re.compile(
    r"(?P<section><!\[(?i:CDATA)\[(?P<inner>(?>.*?\]\]>|.*)))"
    r"|(?P<comment><!--(?>.*?-->|.*)|<\?(?>.*?\?>|.*))"
    rf"|(?P<tag></?{_NAME}(?:\s[^<>]{{0,1024}}|/)?>)"
    r"|(?P<pair>&#(?:55[3-9][0-9]{2}|56[0-2][0-9]{2}|563[01][0-9]|[xX][dD][89abAB][0-9a-fA-F]{2});&#(?:5[67][0-9]{3}|[xX][dD][c-fC-F][0-9a-fA-F]{2});)"
    r"|(?P<reference>&#(?:[0-9]{1,9}|[xX][0-9a-fA-F]{1,8});)"
    r"|&(?P<entity>[A-Za-z][A-Za-z0-9]{1,31});"
    r"|(?P<bare>[<&]|\]\]>)",
    re.DOTALL,
)
_SIGN = re.compile("[<&]")
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ESCAPES = {"&": "&amp;", "<": "&lt;", "]]>": "]]&gt;"}

Note = Callable[[DriftKind], None]


class ReplyBounds:
    """What the trees of one reply may use up."""

    def __init__(self) -> None:
        self.elements = self._signs = 0
        self._names: set[str] = set()

    def enter(self, name: str, depth: int) -> None:
        """Count an element; raises `NotWellFormed` where there are too many, of too many names, or too deep."""
        self.count(1)
        self._names.add(name)
        if depth > MAX_DEPTH:
            raise NotWellFormed(f"more than {MAX_DEPTH} levels of elements")
        if len(self._names) > _MAX_NAMES:
            raise NotWellFormed(f"more than {_MAX_NAMES} different elements")

    def count(self, elements: int) -> None:
        """Count elements of names that are known to be few; raises `NotWellFormed` where there are too many."""
        self.elements += elements
        if self.elements > _MAX_ELEMENTS:
            raise NotWellFormed(f"more than {_MAX_ELEMENTS} elements")

    def look(self) -> None:
        """Count a place that is looked at for a repair; raises `NotWellFormed` where there are too many."""
        self._signs += 1
        if self._signs > _MAX_SIGNS:
            raise NotWellFormed(f"more than {_MAX_SIGNS} signs of markup")


def tree(name: str, inner: str, *, bounds: ReplyBounds, note: Note, line: int = 1) -> Any:
    """Return the content of an element as dictionaries, without attributes.

    Raises:
        NotWellFormed: it cannot be repaired.
    """
    try:
        return _parsed(name, inner, bounds)
    except expat.ExpatError:
        pass
    try:
        return _parsed(name, repaired(inner, note, bounds), bounds)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "syntax error")
        raise NotWellFormed(f"not well-formed XML: {reason} at line {line + error.lineno - 1}") from None


def repaired(text: str, note: Note, bounds: ReplyBounds) -> str:
    """Return a piece of markup with what cannot be read written as it was meant."""
    allowed = _allowed(text, note)

    def repair(match: re.Match[str]) -> str:
        kind = match.lastgroup
        bounds.look()
        if kind == "tag":
            return match[0]
        if kind == "inner" or match["section"]:
            if not match[0].startswith("<![CDATA["):
                note(DriftKind.REPAIRED_MARKUP)
            return f"<![CDATA[{match['inner']}"
        if kind == "bare":
            note(DriftKind.REPAIRED_MARKUP)
            return _ESCAPES[match[0]]
        if kind == "comment":
            if "--" in match[0][4:-3]:
                note(DriftKind.REPAIRED_MARKUP)
            return ""
        if kind == "entity":
            return _entity(match["entity"], note)
        return _referenced(match[0], note)

    at, pieces = 0, list[str]()
    for match in _signs(allowed):
        pieces += allowed[at : match.start()], repair(match)
        at = match.end()
    return "".join([*pieces, allowed[at:]])


def _allowed(text: str, note: Note) -> str:
    # In slices, between which other threads get their turn.
    allowed = "".join(_FORBIDDEN.sub("", text[at : at + _SLICE]) for at in range(0, len(text), _SLICE))
    if len(allowed) < len(text):
        note(DriftKind.REPAIRED_CHARACTER)
    return allowed


def _signs(text: str) -> Iterator["re.Match[str]"]:
    """Yield what may need a repair. Between these the pattern itself would be tried at every character."""
    at, end = 0, text.find("]]>")
    while True:
        found = _SIGN.search(text, at)
        starts = [each for each in (found.start() if found else -1, end) if each >= at]
        if not starts or (match := _REPAIRABLE.match(text, min(starts))) is None:
            return
        yield match
        at = match.end()
        if 0 <= end < at:
            end = text.find("]]>", at)


def _entity(name: str, note: Note) -> str:
    if name in _PREDEFINED:
        return f"&{name};"
    found = html5.get(f"{name};")
    note(DriftKind.REPAIRED_MARKUP if found is None else DriftKind.REPAIRED_CHARACTER)
    return f"&amp;{name};" if found is None else found.replace("&", "&amp;").replace("<", "&lt;")


def _referenced(references: str, note: Note) -> str:
    codes = [int(each[1:], 16) if each[0] in "xX" else int(each) for each in re.findall(r"&#([^;]+);", references)]
    if len(codes) == 2 and 0xD800 <= codes[0] < 0xDC00 <= codes[1] < 0xE000:
        note(DriftKind.REPAIRED_CHARACTER)
        return chr(0x10000 + ((codes[0] - 0xD800) << 10) + codes[1] - 0xDC00)
    return "".join(_character(code, note) for code in codes)


def _character(code: int, note: Note) -> str:
    if code in {9, 10, 13} or (32 <= code < 0x110000 and not _FORBIDDEN.match(chr(code))):
        return f"&#{code};"
    # What is no character at all is dropped.
    note(DriftKind.REPAIRED_CHARACTER)
    return ""


def _parsed(name: str, inner: str, bounds: ReplyBounds) -> Any:
    encoded = f"<{name}>{inner}</{name}>".encode("utf-8", "replace")
    parser, builder = expat.ParserCreate("utf-8"), _Builder(bounds)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(encoded, True)
    return builder.children[name]


class _Builder:
    """Makes of markup what xmltodict makes of it, within bounds."""

    def __init__(self, bounds: ReplyBounds) -> None:
        self._bounds = bounds
        self._parents: list[tuple[dict[str, Any], list[str]]] = []
        self.children: dict[str, Any] = {}
        self._texts: list[str] = []

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._parents.append((self.children, self._texts))
        self._bounds.enter(name, len(self._parents))
        self.children, self._texts = {}, []

    def data(self, text: str) -> None:
        self._texts.append(text)

    def end(self, name: str) -> None:
        text = "".join(self._texts).strip()
        content: Any = self.children or text or None
        if self.children and text:
            self.children["#text"] = text
        self.children, self._texts = self._parents.pop()
        if name not in self.children:
            self.children[name] = content
        elif isinstance(siblings := self.children[name], list):
            siblings.append(content)
        else:
            self.children[name] = [siblings, content]


def refuse_other(start: str) -> None:
    """Refuse what begins in small letters as a web page or a document type declaration does."""
    if _WEB_PAGE.match(start):
        raise UnexpectedForm("a web page instead of XML")
    if start.startswith("<!doctype"):
        raise NotWellFormed("a document type declaration")
