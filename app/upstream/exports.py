"""Reading an export's reply as it comes: bytes in, rows out, and never more than a record held back."""

import re

from app.upstream.decoding import TextDecoder
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import unwrap
from app.upstream.rows import Row
from app.upstream.sources import Body, Source
from app.upstream.xml import NotWellFormed, looks_like_html, parse, without_declaration

_PROLOG = re.compile(r"(?:\s+|<!--.*?-->|<\?.*?\?>)*", re.DOTALL)
_ROOT = re.compile(r"""<([^\s<>/!?"'=&]+)(?:\s(?:[^<>"'/]|/(?!>)|"[^<"]*"|'[^<']*')*+)?(/?)>""")


class ExportReader:
    """Reads one reply.

    Every method raises `UnexpectedForm` for a reply that cannot be used, and a `GatewayError` for the platform's own
    refusal (see `app.upstream.envelope.unwrap`).

    Args:
        source: the form that was promised.
        operation: the gateway's name of the operation, for errors.
        content_type: the reply's.
        document: converts values, and is told of drift.
        max_length: how many characters a record may have, and a reply that is no export.
    """

    def __init__(
        self, source: Source, *, operation: str, content_type: str, document: Document, max_length: int
    ) -> None:
        self._source = source
        self._operation = operation
        self._decoder = TextDecoder(content_type)
        self._document = document
        self._max_length = max_length
        self._opening = ""
        self._body: Body | None = None
        self.ended = False
        """Whether `end` was called."""

    def feed(self, data: bytes) -> None:
        """Add bytes; some 64 KiB are a good portion."""
        self._add(self._decoder.feed(data))

    def end(self) -> None:
        """Say that there are no more bytes; `take` gives what is left."""
        # A last line without its end is a line.
        self._add(self._decoder.end() + "\n")
        if self._body is None and self._opening.strip():
            self._begin(None, self._opening)
        self.ended = True
        if self._decoder.lossy:
            self._document.note(DriftKind.UNDECODABLE_BYTES, self._document.root)

    def take(self) -> list[Row] | None:
        """Return the next rows, which may be none; None when that takes more bytes, or when all is read and checked."""
        try:
            rows = self._body.take() if self._body else None
            if rows is None and self.ended:
                self._check()
        except NotWellFormed as error:
            raise UnexpectedForm(str(error)) from None
        return rows

    def _add(self, text: str) -> None:
        if self._body is None:
            self._opening += text
            self._open()
        else:
            self._body.feed(text)

    def _open(self) -> None:
        """Find out what has come, as soon as it can be told."""
        text = self._opening.lstrip()
        if text and not text.startswith("<"):
            self._begin(self._source.lines(self._document, max_length=self._max_length), self._opening)
        elif looks_like_html(text):
            raise UnexpectedForm("a web page instead of XML")
        elif text:
            self._open_xml(text)
        _check_length(self._opening, self._max_length)

    def _open_xml(self, text: str) -> None:
        prolog = _PROLOG.match(text)
        start = prolog.end() if prolog else 0
        if text.startswith("<!DOCTYPE", start):
            raise UnexpectedForm("a document type declaration")
        tag = _ROOT.match(text, start)
        if tag is None:
            return
        root = tag[1]
        self._document.root = root
        line = 1 + text.count("\n", 0, tag.end())
        body = self._source.below(root, self._document, max_length=self._max_length, line=line)
        if body is None:
            self._begin(None, text)
            return
        closing = f"</{root}>"
        try:
            parse(without_declaration(text[: tag.end()]) + ("" if tag[2] else closing))
        except NotWellFormed as error:
            raise UnexpectedForm(str(error)) from None
        self._begin(body, (closing if tag[2] else "") + text[tag.end() :])

    def _begin(self, body: Body | None, text: str) -> None:
        self._opening = ""
        self._body = body or _Whole(self._source, self._operation, self._document, self._max_length)
        self._body.feed(text)

    def _check(self) -> None:
        if self._body is not None:
            self._body.end()
        elif self._source.root is not None:
            raise UnexpectedForm("an empty body")


class _Whole:
    """A reply that is no export: it is read to its end to say what it is."""

    def __init__(self, source: Source, operation: str, document: Document, max_length: int) -> None:
        self._source = source
        self._operation = operation
        self._document = document
        self._max_length = max_length
        self._text = ""

    def feed(self, text: str) -> None:
        self._text += text
        _check_length(self._text, self._max_length)

    def take(self) -> list[Row] | None:
        return None

    def end(self) -> None:
        document = self._document
        document.root, document.content = parse(self._text)
        unwrap(document, self._operation, self._source.root)
        raise UnexpectedForm(f"a document <{document.redact(document.root)[:64]}> where lines were promised")


def _check_length(text: str, max_length: int) -> None:
    if len(text) > max_length:
        raise UnexpectedForm(f"more than {max_length} characters and no record")
