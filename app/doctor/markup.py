"""Scrubbing a reply: its values get stand-ins, and every other byte stays, loose form and all."""

import re
from collections.abc import Callable, Collection

from app.doctor.findings import NotRecordable
from app.doctor.scrubbing import Scrubber, alphabet_of
from app.upstream.encodings import encoding_of

Known = Callable[[str, str], bool]
"""Tells whether the text of the element at a path is a word that the gateway knows, so that it may stay."""

_MARKUP = re.compile(
    r"(?P<declaration><\?xml\s[^>]*\?>)"
    r"|<!--(?P<comment>.*?)-->"
    r"|<\?[^\s?]+(?P<instruction>.*?)\?>"
    r"|<!\[CDATA\[(?P<section>.*?)\]\]>"
    r"""|<(?P<slash>/?)(?P<name>[^\s<>/!?"'=&]+)(?P<attributes>(?:[^<>"'/]|/(?!>)|"[^<"]*"|'[^<']*')*)(?P<empty>/?)>"""
    r"|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s=]+)(\s*=\s*)("[^"]*"|'[^']*')""")


def scrub_reply(body: bytes, content_type: str, scrubber: Scrubber, *, known: Known, keep: Collection[str]) -> bytes:
    """Return a reply with stand-ins for its values.

    Raises:
        NotRecordable: it is neither, or cannot be written as it was.
    """
    encoding = encoding_of(body, content_type)
    # Bytes that cannot be decoded are there again when it is encoded.
    text = body.decode(encoding, "surrogateescape")
    if text.encode(encoding, "surrogateescape") != body:
        raise NotRecordable(f"its {encoding} cannot be written as it was")
    scrub = _Text(scrubber, encoding)
    scrubbed = _Xml(scrub, known).scrub(text) if text.lstrip("\ufeff \t\r\n").startswith("<") else scrub.but(text, keep)
    return scrubbed.encode(encoding, "surrogateescape")


class _Text:
    """Scrubs texts of one reply."""

    def __init__(self, scrubber: Scrubber, encoding: str) -> None:
        self._scrubber = scrubber
        self._alphabet = alphabet_of(encoding)

    def of(self, name: str, value: str) -> str:
        """Return the stand-in for what an element or attribute of a name holds."""
        return self._scrubber.text(value, self._alphabet, is_id=name.lower().endswith("id"))

    def but(self, value: str, keep: Collection[str]) -> str:
        """Return the stand-in for a text, in which some words stay."""
        if not keep:
            return self.of("", value)
        parts = re.split(f"({'|'.join(map(re.escape, keep))})", value)
        return "".join(part if part in keep else self.of("", part) for part in parts)


class _Xml:
    """Scrubs one document, token by token."""

    def __init__(self, text: _Text, known: Known) -> None:
        self._text = text
        self._known = known
        self._path: list[str] = []

    def scrub(self, document: str) -> str:
        """Return the document with stand-ins; raises `NotRecordable` where something in it is no markup and no text."""
        written, end = [], 0
        for token in _MARKUP.finditer(document):
            if token.start() != end:
                break
            end = token.end()
            written.append(self._token(token))
        if end != len(document):
            raise NotRecordable("where its values are cannot be told")
        return "".join(written)

    def _token(self, token: re.Match[str]) -> str:
        kind = token.lastgroup or ""
        if kind == "empty":
            return self._tag(token)
        if kind == "declaration":
            return token[0]
        return _with(token, kind, self._value(token[kind]))

    def _value(self, value: str) -> str:
        if self._known("/".join(self._path), value.strip()):
            return value
        return self._text.of(self._path[-1] if self._path else "", value)

    def _tag(self, token: re.Match[str]) -> str:
        if token["slash"]:
            self._path[-1:] = []
        elif not token["empty"]:
            self._path.append(token["name"])
        return _with(token, "attributes", _ATTRIBUTE.sub(self._attribute, token["attributes"]))

    def _attribute(self, attribute: re.Match[str]) -> str:
        name, equals, quoted = attribute.groups()
        return f"{name}{equals}{quoted[0]}{self._text.of(name, quoted[1:-1])}{quoted[-1]}"


def _with(token: re.Match[str], group: str, value: str) -> str:
    """Return what was matched, with another value in the place of a group."""
    start = token.start()
    return token[0][: token.start(group) - start] + value + token[0][token.end(group) - start :]
