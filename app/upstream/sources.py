"""The forms that exports come in: XML records below a root, and plain text with a record a line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app.upstream.columns import rows_of
from app.upstream.document import Document, UnexpectedForm, many, wraps
from app.upstream.forms import Run, Tree
from app.upstream.markup import SURPLUS
from app.upstream.records import Record

Row = dict[str, Any]
"""A record as JSON: the public model's fields in their order, each a value that JSON knows."""
ReadLines = Callable[[Sequence[str]], list[Row]]
ReadChild = Callable[[str, Any, Document], list[Row]]

ADDRESS = re.compile(r'[^\s@,;"<>()\[\]]+@[^\s@,;"<>()\[\]]+')
"""As loose as an address may be in a text, and no looser: prose with an @ in it, or several addresses, are none."""
_BATCH_ROWS = 512
_MOST_ODD = 10_000


@dataclass(frozen=True, slots=True)
class XmlRecords:
    """Records called `tag` below a root, each read as `record` says."""

    root: str
    tag: str
    record: Record[Any]

    @property
    def model(self) -> type[BaseModel]:
        """The public model that a row is."""
        return self.record.model


@dataclass(frozen=True, slots=True)
class TextLines:
    """Records as lines.

    `read` returns, for one reply, what makes rows of its lines; it raises `UnexpectedForm` for one that is no record.
    A cell in `headings` tells that the first line is none. `child` reads a root's children where XML may come instead.
    """

    model: type[BaseModel]
    read: Callable[[Document], ReadLines]
    headings: frozenset[str] = frozenset()
    child: ReadChild | None = None

    @property
    def root(self) -> str | None:
        return None


Source = XmlRecords | TextLines


class LineReader:
    """Makes rows of text that comes in pieces."""

    def __init__(self, source: TextLines, document: Document, *, max_length: int) -> None:
        self._headings = source.headings
        self._read = source.read(document)
        self._max_length = max_length
        self._lines: list[str] = []
        self._rest: list[str] = []
        self._length = 0
        self._is_first = True

    @property
    def held(self) -> int:
        """How much text is held; lines are read in small batches whatever there is."""
        return 0

    def feed(self, text: str) -> None:
        self._rest.append(text)
        self._length += len(text)
        if "\n" in text:
            *lines, rest = "".join(self._rest).split("\n")
            self._lines += lines
            self._rest, self._length = [rest], len(rest)
        if self._length > self._max_length:
            raise UnexpectedForm(f"more than {self._max_length} characters in one line")

    def end(self) -> None:
        """Say that there is no more text; a last line without its end is a line."""
        self.feed("\n")

    def take(self) -> list[Row] | None:
        """Return the next rows; None when that takes more text."""
        if not self._lines:
            return None
        taken, self._lines = self._lines[:_BATCH_ROWS], self._lines[_BATCH_ROWS:]
        lines = [line for each in taken if (line := each.strip(_AROUND_LINES))]
        if lines and self._is_first:
            self._is_first = False
            if not self._headings.isdisjoint(cell.strip().lower() for cell in lines[0].split("\t")):
                del lines[0]
        return self._read(lines)


_AROUND_LINES = SURPLUS.replace("\t", "")


class RecordReader:
    """Makes rows of what stands below a root."""

    def __init__(self, source: Source, document: Document) -> None:
        self._source = source
        self._document = document
        self._any_known = self._any_unknown = False
        self._odd = 0

    def rows(self, found: Run | Tree) -> list[Row]:
        """Return the rows of what was found.

        Raises:
            UnexpectedForm: there is something else beside or instead of records.
        """
        if isinstance(found, Run):
            return self._run(found)
        if isinstance(found.content, str):
            self._document.note_unknown("#text", found.content, self._document.root)
        children: Mapping[str, Any] = found.content if isinstance(found.content, dict) else {}
        if isinstance(self._source, XmlRecords):
            children = self._document.children(children, self._document.root, (self._source.tag,))
        return [row for name, content in children.items() for row in self._child(name, content)]

    def end(self) -> None:
        """Check, once all is read, that this was an export; raises `UnexpectedForm` where it was not."""
        if self._any_unknown and not self._any_known:
            raise UnexpectedForm(f"nothing of what is promised in <{self._document.root}>")

    def _child(self, name: str, content: Any) -> list[Row]:
        source, nodes = self._source, content if isinstance(content, list) else [content]
        if isinstance(source, XmlRecords) and name == source.tag:
            self._any_known = True
            self._bound(nodes.count(None))
            return self._records(nodes, source)
        self._bound(len(nodes))
        rows = source.child(name, content, self._document) if isinstance(source, TextLines) and source.child else []
        self._any_known |= bool(rows)
        if not rows:
            if wraps(content, source.tag if isinstance(source, XmlRecords) else "email"):
                raise UnexpectedForm(f"<{self._document.redact(name)[:64]}> inside <{self._document.root}>")
            self._document.note_unknown(name, content, self._document.root)
            self._any_unknown |= name != "#text"
        return rows

    def _bound(self, odd: int) -> None:
        self._odd += odd
        if self._odd > _MOST_ODD:
            raise UnexpectedForm("too many elements that are no records")

    def _run(self, run: Run) -> list[Row]:
        source = self._source
        if not isinstance(source, XmlRecords):
            return []
        self._any_known = True
        if not source.record.combined and not source.record.nested:
            path = f"{source.root}/{source.tag}"
            rows = rows_of(source.record, run, self._document, path, as_json=True)
            if rows is not None:
                return rows
        return self._records(run.nodes(), source)

    def _records(self, nodes: Sequence[Any], source: XmlRecords) -> list[Row]:
        path = f"{source.root}/{source.tag}"
        # An empty element where a record could stand is the platform's way of writing "none".
        return [
            source.record.read(node, self._document, path).model_dump(mode="json")
            for node in many(nodes)
            if node is not None
        ]
