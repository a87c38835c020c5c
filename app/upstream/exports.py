"""Reading an export's reply as it comes: bytes in, rows out, and never more than a record held back."""

from time import perf_counter
from typing import Any

from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.encodings import TextDecoder
from app.upstream.envelope import check_root, merged, unwrap
from app.upstream.markup import SURPLUS
from app.upstream.reader import XmlReader
from app.upstream.sources import LineReader, RecordReader, Row, Source, XmlRecords

_BATCH_ROWS = 512
_BATCH_SECONDS = 0.002


class ExportReader:
    """Reads one reply; no record, and no reply that is no export, may be longer than `max_length` characters.

    Every method raises `UnexpectedForm` for a reply that cannot be used, and a `GatewayError` for the platform's own
    refusal (see `app.upstream.envelope.unwrap`).
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
        self._body: LineReader | _XmlBody | None = None
        self.ended = False
        """Whether `end` was called."""

    @property
    def held(self) -> int:
        """How many characters `take` may have to read in one go."""
        return self._body.held if self._body else 0

    def feed(self, data: bytes) -> None:
        """Add bytes; some 64 KiB are a good portion."""
        self._add(self._decoder.feed(data))

    def end(self) -> None:
        """Say that there are no more bytes; `take` gives what is left."""
        self._add(self._decoder.feed(b"", final=True))
        if self._body is None and isinstance(self._source, XmlRecords):
            raise UnexpectedForm("an empty body")
        if self._body is not None:
            self._body.end()
        self.ended = True

    def take(self) -> list[Row] | None:
        """Return the next rows, which may be none; None when that takes more bytes, or when all is read and checked."""
        rows = self._body.take() if self._body else None
        if rows is None and self.ended:
            if self._decoder.lossy:
                self._document.note(DriftKind.UNDECODABLE_BYTES, self._document.root)
            if not self._decoder.as_declared:
                self._document.note(DriftKind.REPAIRED_ENCODING, self._document.root)
        return rows

    def _add(self, text: str) -> None:
        if self._body is not None:
            self._body.feed(text)
            return
        self._opening += text
        begun = self._opening.lstrip(SURPLUS)
        if begun:
            self._body = self._begin(begun)
            self._body.feed(self._opening)
        elif len(self._opening) > self._max_length:
            raise UnexpectedForm("nothing but blanks")

    def _begin(self, begun: str) -> "LineReader | _XmlBody":
        if isinstance(self._source, XmlRecords) or begun.startswith("<"):
            return _XmlBody(self._source, self._operation, self._document, self._max_length)
        if not self._opening[: -len(begun)].isspace() and len(begun) < len(self._opening):
            self._document.note(DriftKind.REPAIRED_FRAME, "")
        return LineReader(self._source, self._document, max_length=self._max_length)


class _XmlBody:
    """Reads XML, whether it is the export or what the platform has to say instead."""

    def __init__(self, source: Source, operation: str, document: Document, max_length: int) -> None:
        self._source = source
        self._operation = operation
        self._document = document
        tag = source.tag if isinstance(source, XmlRecords) else ""
        self._reader = XmlReader(max_length=max_length, tag=tag)
        self._records: RecordReader | None = None
        self._envelope: dict[str, Any] = {}
        self._max_length = max_length
        self._fed = 0
        self._ended = False

    @property
    def held(self) -> int:
        return self._reader.held

    def feed(self, text: str) -> None:
        self._fed += len(text)
        if self._records is None and self._fed > 2 * self._max_length:
            raise UnexpectedForm(f"more than {self._max_length} characters and no record")
        self._reader.feed(text)

    def end(self) -> None:
        self._ended = True
        self._reader.end()

    def take(self) -> list[Row] | None:
        rows: list[Row] = []
        until = perf_counter() + _BATCH_SECONDS
        while (found := self._reader.next()) is not None:
            if self._begun():
                rows += self._records.rows(found) if self._records else []
            else:
                merged(self._envelope, found)
            if len(rows) >= _BATCH_ROWS or perf_counter() > until:
                return rows
        if not rows and self._ended:
            self._check()
        return rows or None

    def _begun(self) -> bool:
        """Tell whether the root is the export's; an envelope is read to its end to say what it is."""
        if not self._document.root:
            self._document.root = root = self._reader.root
            if root.lower() != "result":
                self._check_root()
                self._records = RecordReader(self._source, self._document)
        return self._records is not None

    def _check_root(self) -> None:
        if isinstance(self._source, XmlRecords):
            check_root(self._document, self._source.root)
        elif self._source.child is None:
            raise UnexpectedForm(
                f"a document <{self._document.redact(self._document.root)[:64]}> where lines were promised"
            )

    def _check(self) -> None:
        if not self._begun():
            self._document.content = self._envelope
            unwrap(self._document, self._operation, self._source.root)
            raise UnexpectedForm("a document <result> where lines were promised")
        for kind in self._reader.repairs:
            self._document.note(kind, self._document.root)
        if self._records:
            self._records.end()
