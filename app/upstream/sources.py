"""The forms that exports come in: XML records below a root, and plain text with a record a line."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from pydantic import BaseModel

from app.upstream.document import Document, UnexpectedForm
from app.upstream.pieces import Child, RootChildren, Run
from app.upstream.records import Record
from app.upstream.rows import RecordRows, Row, has_plain_rows

_BATCH_ROWS = 512
_BATCH_SECONDS = 0.002
_WITHOUT_ADDRESS = "an export without a single address"
_SURROUNDINGS = " \r\ufeff"

ReadLines = Callable[[Sequence[str]], list[Row]]
ReadChild = Callable[[str, Any, Document], list[Row]]


class Body(Protocol):
    """Reads a reply's text from the place where its form is known."""

    def feed(self, text: str) -> None:
        """Add text."""

    def take(self) -> list[Row] | None:
        """Return the next rows, which may be none; None when that takes more text.

        A call takes some milliseconds at most.
        """

    def end(self) -> None:
        """Check, once there is no more text and all rows are taken, that this was an export, and a whole one.

        Raises:
            UnexpectedForm, NotWellFormed: it was not.
        """


class Source(Protocol):
    """How an export's records are written, and what they become.

    Args:
        model: the public model that a row is.
        root: the promised root element; None where plain text is promised.
    """

    @property
    def model(self) -> type[BaseModel]: ...

    @property
    def root(self) -> str | None: ...

    def lines(self, document: Document, *, max_length: int) -> Body | None:
        """Return what reads plain text; None where that is not expected."""

    def below(self, root: str, document: Document, *, max_length: int, line: int) -> Body | None:
        """Return what reads the text behind a root's start tag; None where that root is not expected."""


@dataclass(frozen=True, slots=True)
class XmlRecords:
    """Records as elements below a root.

    Args:
        root: the root's name.
        tag: a record's name.
        record: how its children become a public model.
    """

    root: str
    tag: str
    record: Record[Any]

    @property
    def model(self) -> type[BaseModel]:
        """The public model that a row is."""
        return self.record.model

    def lines(self, _document: Document, *, max_length: int) -> Body | None:  # noqa: ARG002 - the protocol's signature
        """Plain text is not expected."""
        return None

    def below(self, root: str, document: Document, *, max_length: int, line: int) -> Body | None:
        """Read the promised root only."""
        if root != self.root:
            return None
        children = RootChildren(
            root, max_length=max_length, line=line, tag=self.tag if has_plain_rows(self.record) else None
        )
        return _Records(self, children, document)


@dataclass(frozen=True, slots=True)
class TextLines:
    """Records as lines, their cells split by tabs.

    Args:
        model: the public model that a row is.
        read: returns, for one reply, what makes rows of its lines; a line may be passed over.
        heading: a cell that tells a heading from a record.
        child: reads a child of the root where XML may come instead.
    """

    model: type[BaseModel]
    read: Callable[[Document], ReadLines]
    heading: str | None = None
    child: ReadChild | None = None

    @property
    def root(self) -> str | None:
        """There is none."""
        return None

    def lines(self, document: Document, *, max_length: int) -> Body | None:
        """Read the lines."""
        return _Lines(self, document, max_length)

    def below(self, root: str, document: Document, *, max_length: int, line: int) -> Body | None:
        """Read XML of any root but the error envelope's, if XML may come at all."""
        if self.child is None or root == "result":
            return None
        return _Children(self.child, RootChildren(root, max_length=max_length, line=line), document)


class _Lines:
    def __init__(self, source: TextLines, document: Document, max_length: int) -> None:
        self._heading = source.heading
        self._read = source.read(document)
        self._without_address = _WITHOUT_ADDRESS if source.child else "lines without an address"
        self._max_length = max_length
        self._lines: list[str] = []
        self._rest = ""
        self._any_line = self._any_row = False

    def feed(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        self._lines += lines
        if len(self._rest) > self._max_length:
            raise UnexpectedForm(f"more than {self._max_length} characters in one line")

    def take(self) -> list[Row] | None:
        if not self._lines:
            return None
        taken, self._lines = self._lines[:_BATCH_ROWS], self._lines[_BATCH_ROWS:]
        lines = [line for raw in taken if (line := raw.strip(_SURROUNDINGS)) and not self._is_heading(line)]
        rows = self._read(lines)
        self._any_line |= bool(lines)
        self._any_row |= bool(rows)
        return rows

    def end(self) -> None:
        if self._any_line and not self._any_row:
            raise UnexpectedForm(self._without_address)

    def _is_heading(self, line: str) -> bool:
        heading = self._heading
        return heading is not None and heading in line and heading in map(str.strip, line.split("\t"))


class _Xml(ABC):
    def __init__(self, children: RootChildren, document: Document) -> None:
        self._children = children
        self._document = document

    def feed(self, text: str) -> None:
        self._children.feed(text)

    def take(self) -> list[Row] | None:
        rows: list[Row] = []
        until = perf_counter() + _BATCH_SECONDS
        while (found := self._children.next()) is not None:
            rows += self._rows(found)
            if len(rows) >= _BATCH_ROWS or perf_counter() > until:
                return rows
        return rows or None

    def end(self) -> None:
        self._children.end()
        self._document.note_unknown("#text", self._children.noise, self._document.root)

    @abstractmethod
    def _rows(self, found: Run | Child) -> list[Row]:
        """Make rows of what was found."""


class _Records(_Xml):
    def __init__(self, source: XmlRecords, children: RootChildren, document: Document) -> None:
        super().__init__(children, document)
        self._tag = source.tag
        self._reader = RecordRows(source.record, document, f"{source.root}/{source.tag}")

    def _rows(self, found: Run | Child) -> list[Row]:
        if isinstance(found, Run):
            return self._reader.many(found.shape, found.columns)
        if found.name != self._tag:
            self._document.note_unknown(found.name, found.content, self._document.root)
            return []
        # An empty element where a record could stand is the platform's way of writing "none".
        return [] if found.content is None else [self._reader.one(found.content)]


class _Children(_Xml):
    def __init__(self, read: ReadChild, children: RootChildren, document: Document) -> None:
        super().__init__(children, document)
        self._read = read
        self._any_child = self._any_row = False

    def _rows(self, found: Run | Child) -> list[Row]:
        rows = self._read(found.name, found.content, self._document) if isinstance(found, Child) else []
        self._any_child = True
        self._any_row |= bool(rows)
        return rows

    def end(self) -> None:
        super().end()
        if (self._any_child or self._children.noise) and not self._any_row:
            raise UnexpectedForm(_WITHOUT_ADDRESS)
