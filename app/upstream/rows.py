"""Records as rows: what their public models would serialise to, without making a model of each.

A `Record` stays the one declaration of how elements become fields. For records of one shape it is worked out once which
column feeds which field; values that recur, such as codes and days, are converted once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from app.upstream.document import Document, DriftKind
from app.upstream.pieces import Cells, Shape
from app.upstream.records import Element, Record
from app.upstream.values import text

Row = dict[str, Any]
"""A record as JSON: the public model's fields in their order, each a value that JSON knows."""

_REMEMBERED = 4096


class Memo(dict[str, Any]):
    """Remembers what a function made of a text, of as many texts as are worth it.

    Args:
        convert: the function; its results are kept as JSON has them.
    """

    def __init__(self, convert: Callable[[str], Any]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: str) -> Any:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[value] = converted = to_jsonable_python(self._convert(value))
        return converted


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a field's values come from: a column, None when the shape has none, and how they are read."""

    column: int | None
    read: Callable[[Cells], Sequence[Any]]


class RecordRows:
    """Makes rows of the children of a document's root.

    Args:
        record: how a child becomes a public model.
        document: converts, and is told of drift.
        path: the path of such a child.
    """

    def __init__(self, record: Record[Any], document: Document, path: str) -> None:
        self._record = record
        self._document = document
        self._path = path
        self._fields = tuple(record.model.model_fields)
        self._spellings = [set(element.names) for element in record.elements.values() if len(element.names) > 1]
        self._plans: dict[tuple[str, ...], tuple[_Source, ...]] = {}
        self._memos: dict[tuple[str, str], Memo] = {}

    def one(self, content: Any) -> Row:
        """Return the row of a child by way of its model."""
        row: Row = self._record.read(content, self._document, self._path).model_dump(mode="json")
        return row

    def many(self, shape: Shape, columns: Sequence[Cells]) -> list[Row]:
        """Return the rows of children of one shape, given as columns."""
        if self._spells_twice(shape):
            stripped = [_stripped(column) for column in columns]
            return [self.one(dict(zip(shape.names, row, strict=True))) for row in zip(*stripped, strict=True)]
        plan = self._plans.get(shape.names)
        if plan is None:
            plan = self._plans[shape.names] = self._plan(shape)
        none = [None] * len(columns[0])
        values = [none if source.column is None else source.read(columns[source.column]) for source in plan]
        fields = self._fields
        return [dict(zip(fields, row)) for row in zip(*values, strict=True)]  # noqa: B905 - as long as the row

    def _spells_twice(self, shape: Shape) -> bool:
        # Which of two spellings counts is decided record by record.
        return any(len(names.intersection(shape.names)) > 1 for names in self._spellings)

    def _plan(self, shape: Shape) -> tuple[_Source, ...]:
        for name in shape.names:
            if name not in self._record.known:
                self._document.note_unknown(name, None, self._path)
        return tuple(self._source(field, self._record.elements[field], shape) for field in self._fields)

    def _source(self, field: str, element: Element, shape: Shape) -> _Source:
        name = next((name for name in element.names if name in shape.names), None)
        if name is None:
            if not element.optional:
                self._document.note(DriftKind.MISSING_ELEMENT, f"{self._path}/{element.names[0]}")
            return _Source(None, _stripped)
        column = shape.names.index(name)
        # A text is as good as never the same as one before, and needs no more than this.
        return _Source(column, _stripped if element.convert is text else self._remembering(field, element, name))

    def _remembering(self, field: str, element: Element, name: str) -> Callable[[Cells], Sequence[Any]]:
        path = f"{self._path}/{name}"
        memo = self._memos.setdefault(
            (field, name), Memo(lambda value: self._document.convert(value, element.convert, path))
        )
        return lambda cells: list(map(memo.__getitem__, cells))


def has_plain_rows(record: Record[Any]) -> bool:
    """Tell whether a record's rows can be made without its model: a leaf per field, and nothing worked out of them."""
    return (
        not record.combined
        and not record.nested
        and record.elements.keys() == record.model.model_fields.keys()
        and not any(element.required for element in record.elements.values())
    )


def _stripped(cells: Cells) -> Sequence[str | None]:
    return [cell.strip() or None for cell in cells]
