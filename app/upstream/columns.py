"""Reading a list's items column by column: a text that recurs is converted once, and missing elements are told at once.

`app.upstream.records.Record.values` reads an item on its own and is what this must agree with. Whatever needs a look at
an item as a whole is left to it.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from app.upstream.document import UNKNOWN, Document, DriftKind
from app.upstream.forms import Form, Leaf, Nested, Part, Writing, resolved
from app.upstream.listing import Cells, Run
from app.upstream.values import Convert, text

if TYPE_CHECKING:
    from app.upstream.records import Element, Record

Row = dict[str, Any]
Column = Sequence[str | None]

_REMEMBERED = 256


class _Unfit(Exception):
    """To be read item by item."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The columns of some items.

    Args:
        cells: by name; of what has no column, no item has anything.
        count: how many items there are.
        document: converts, and is told of drift.
        path: the items' path.
        has_references: whether any text may hold a reference to a character.
    """

    cells: dict[str, Column]
    count: int
    document: Document
    path: str
    has_references: bool


_Source = Callable[[_Reading], Sequence[Any]]
Parts = dict[str, Part]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How items of one form become rows.

    Args:
        names: the names of the values of a row, the model's fields first.
        sources: gives the values of each, in the same order.
        arrange: turns a row's values to the model's.
        places: the form's parts, each with the place of its first column.
        unknown: those that nobody declared.
    """

    names: tuple[str, ...]
    sources: tuple[_Source, ...]
    arrange: Callable[[Row], None] | None
    places: tuple[tuple[Part, int], ...]
    unknown: tuple[Part, ...]


def rows_of(record: "Record[Any]", run: Run, document: Document, path: str) -> list[Row] | None:
    """Return the values that the models of a run of items have, in the order of their fields.

    Args:
        record: how an item becomes a model.
        run: the items.
        document: converts, and is told of drift.
        path: an item's path.

    Returns:
        The values; None where the items are to be read one by one.
    """
    plan = _plan(record, run.form)
    try:
        return None if plan is None else _rows(plan, run.rows, document, path, "&" in run.text)
    except _Unfit:
        return None


def _rows(plan: _Plan, items: Sequence[Cells], document: Document, path: str, has_references: bool) -> list[Row]:
    if not items:
        return []
    columns = list(zip(*items, strict=True))
    cells = {part.name: _cells(part, columns, place, has_references) for part, place in plan.places}
    for part in plan.unknown:
        if any(cell is not None for cell in cells[part.name]):
            document.note_unknown(part.name, None, path)
    reading = _Reading(cells, len(items), document, path, has_references)
    values = [source(reading) for source in plan.sources]
    rows = [dict(zip(plan.names, row)) for row in zip(*values, strict=True)]  # noqa: B905 - as long as the row
    if plan.arrange is not None:
        for row in rows:
            plan.arrange(row)
    return rows


def _cells(part: Part, columns: Sequence[Column], place: int, has_references: bool) -> Column:
    if isinstance(part, Nested):
        return columns[place]
    cells: Column = [None] * len(columns[place])
    for writing, column in zip(part.writings, columns[place:], strict=False):
        found = column
        if has_references and writing is Writing.TEXT:
            found = [resolved(cell) if cell else cell for cell in found]
        cells = found if len(part.writings) == 1 else _either(found, cells)
    return cells


def _either(ones: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    return [other if one is None else one for one, other in zip(ones, others, strict=True)]


@lru_cache(maxsize=_REMEMBERED)
def _plan(record: "Record[Any]", form: Form) -> _Plan | None:
    """Work out how items of a form are read; None where they are to be read one by one."""
    parts = {part.name: part for part in form.parts}
    fields = record.model.model_fields
    read = dict.fromkeys([*record.elements, *record.nested])
    if read.keys() != fields.keys() and not record.arranges:
        return None
    names = tuple({**dict.fromkeys(fields), **read})
    try:
        sources = tuple(_source(record, name, parts) for name in names)
    except _Unfit:
        return None
    widths = [len(part.writings) if isinstance(part, Leaf) else 1 for part in form.parts]
    places = zip(form.parts, accumulate(widths, initial=0), strict=False)
    unknown = tuple(part for part in form.parts if part.name not in record.known)
    if any(isinstance(part, Nested) for part in unknown):
        return None
    return _Plan(names, sources, record.arrange if record.arranges else None, tuple(places), unknown)


def _source(record: "Record[Any]", name: str, parts: Parts) -> _Source:
    if name in record.elements:
        return _leaf_source(record.elements[name], parts)
    if name in record.nested:
        return _nested_source(*record.nested[name], parts)
    return lambda reading: [None] * reading.count


def _leaf_source(element: "Element", parts: Parts) -> _Source:
    names = [name for name in element.names if name in parts]
    if any(isinstance(parts[name], Nested) for name in names):
        raise _Unfit

    def read(reading: _Reading) -> Sequence[Any]:
        columns = [reading.cells[name] for name in names]
        if not element.optional and _is_missing(columns):
            reading.document.note(DriftKind.MISSING_ELEMENT, f"{reading.path}/{element.names[0]}")
        values: Sequence[Any] = [None] * reading.count
        for name, column in zip(names, _chosen(columns), strict=True):
            found = _converted(column, element.convert, reading.document, f"{reading.path}/{name}")
            values = found if len(names) == 1 else _either(found, values)
        if element.required and (None in values or UNKNOWN in values):
            # The first item without it is what is told of.
            raise _Unfit
        return values

    return read


def _is_missing(columns: Sequence[Column]) -> bool:
    if len(columns) == 1:
        return None in columns[0]
    return any(all(cell is None for cell in cells) for cells in zip(*columns, strict=True)) or not columns


def _chosen(columns: Sequence[Column]) -> Sequence[Column]:
    """Leave of several spellings the one that says something, item by item."""
    if len(columns) < 2:
        return columns
    chosen: list[list[str | None]] = [[] for _ in columns]
    for cells in zip(*columns, strict=True):
        spoken = next((place for place, cell in enumerate(cells) if cell and cell.strip()), None)
        for place, cell in enumerate(cells):
            chosen[place].append(cell if place == spoken else None)
    return chosen


def _converted(column: Column, convert: Convert, document: Document, path: str) -> Sequence[Any]:
    if convert is text:
        return [(cell.strip() or None) if cell else None for cell in column]
    values = {cell: document.convert(cell, convert, path) for cell in set(column)}
    return [values[cell] for cell in column]


def _nested_source(path: tuple[str, ...], record: "Record[Any]", parts: Parts) -> _Source:
    part = parts.get(path[0])
    if not isinstance(part, Nested):
        return partial(_without_records, path[0])
    plan = _plan(record, part.form)
    if part.path != path or plan is None:
        raise _Unfit
    return partial(_records, part, plan)


def _without_records(name: str, reading: _Reading) -> Sequence[list[Row]]:
    # A text where records should stand is told of.
    if any(cell and cell.strip() for cell in reading.cells.get(name, ())):
        raise _Unfit
    return [[] for _ in range(reading.count)]


def _records(part: Nested, plan: _Plan, reading: _Reading) -> Sequence[list[Row]]:
    texts = [cell or "" for cell in reading.cells[part.name]]
    matches = list(iter(part.form.pattern.scanner("".join(texts)).match, None))  # type: ignore[attr-defined]
    path = "/".join((reading.path, *part.path))
    rows = _rows(plan, [each.groups() for each in matches], reading.document, path, reading.has_references)
    ends = [each.end() for each in matches]
    taken = [bisect_right(ends, end) for end in accumulate(map(len, texts), initial=0)]
    return [rows[first:last] for first, last in pairwise(taken)]
