"""Reading a list's items column by column: a text that recurs is converted once, and missing elements are told at once.

`app.upstream.records.Record.values` reads an item on its own and is what this must agree with. Whatever needs a look at
an item as a whole is left to it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from app.upstream.document import UNKNOWN, Document, DriftKind, is_unusual
from app.upstream.forms import Cells, ItemForm, Leaf, Nested, Part, Run, Writing, resolved
from app.upstream.values import Convert, text

if TYPE_CHECKING:
    from app.upstream.records import Element, Record

Row = dict[str, Any]
Column = Sequence[str | None]

_REMEMBERED = 256


class _Unfit(Exception):
    """To be read item by item."""


@dataclass(slots=True)
class _Reading:
    """Some items: a column for each group of the form's pattern; a part's texts stand in its first one."""

    columns: list[Column]
    count: int
    document: Document
    path: str
    has_references: bool
    as_json: bool


_Source = Callable[[_Reading], Sequence[Any]]
_Places = Mapping[str, tuple[Part, int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How items of one form become rows: the model's fields, what gives the values of each, and the form's leaves and
    those that nobody declared, each with the place of its first column."""

    names: tuple[str, ...]
    sources: tuple[_Source, ...]
    leaves: tuple[tuple[Leaf, int], ...]
    unknown: tuple[tuple[str, int], ...]
    promised: tuple[int, ...]
    """The columns of what was declared; a part's first one, of nested records all."""


def rows_of(
    record: "Record[Any]", run: Run, document: Document, path: str, *, as_json: bool = False
) -> list[Row] | None:
    """Return the values that the models of a run of items have, in the order of their fields.

    With `as_json`, they are values that JSON knows. None means that the items are to be read one by one.
    """
    plan = _plan(record, run.form)
    if plan is None:
        return None
    try:
        return _rows(plan, list(zip(*run.rows, strict=True)), document, path, run.has_references, as_json)
    except _Unfit:
        return None


def _rows(
    plan: _Plan, columns: list[Column], document: Document, path: str, has_references: bool, as_json: bool
) -> list[Row]:
    for leaf, place in plan.leaves:
        if has_references or len(leaf.writings) > 1:
            columns[place] = _texts(leaf, columns[place : place + leaf.groups])
    for name, place in plan.unknown:
        if any(cell is not None for cell in columns[place]):
            document.note_unknown(name, None, path)
    if plan.unknown and not all(map(any, zip(*[columns[place] for place in plan.promised], strict=True))):
        # Nothing of what is promised, perhaps, which is told of one by one.
        raise _Unfit
    reading = _Reading(columns, len(columns[0]), document, path, has_references, as_json)
    values = [source(reading) for source in plan.sources]
    return [dict(zip(plan.names, row)) for row in zip(*values, strict=True)]  # noqa: B905 - as long as the row


def _texts(leaf: Leaf, columns: Sequence[Column]) -> Column:
    texts: Column = ()
    for writing, column in zip(leaf.writings, columns, strict=True):
        found = [resolved(cell) if cell else cell for cell in column] if writing is Writing.TEXT else column
        texts = _either(found, texts) if texts else found
    return texts


def _either(ones: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    return [other if one is None else one for one, other in zip(ones, others, strict=True)]


@lru_cache(maxsize=_REMEMBERED)
def _plan(record: "Record[Any]", form: ItemForm) -> _Plan | None:
    """Work out how items of a form are read; None where they are to be read one by one."""
    names = tuple(record.model.model_fields)
    placed = list(zip(form.parts, accumulate((part.groups for part in form.parts), initial=0), strict=False))
    leaves = tuple((part, place) for part, place in placed if isinstance(part, Leaf))
    unknown = tuple((part.name, place) for part, place in placed if part.name not in record.known)
    if is_unusual([part.name for part in form.parts], record.known):
        return None
    if any(isinstance(part, Nested) and part.name not in record.known for part in form.parts):
        return None
    places = {part.name: (part, place) for part, place in placed}
    promised = tuple(
        each
        for part, place in placed
        if part.name in record.known
        for each in range(place, place + (part.groups if isinstance(part, Nested) else 1))
    )
    try:
        sources = tuple(_source(record, name, places) for name in names)
    except _Unfit:
        return None
    return _Plan(names, sources, leaves, unknown, promised)


def _source(record: "Record[Any]", name: str, places: _Places) -> _Source:
    if name in record.combined:
        combined = record.combined[name]
        return partial(_combined, combined.make, [_source(record, each, places) for each in combined.names])
    if name in record.nested:
        return _nested_source(*record.nested[name], places)
    return _leaf_source(record.elements[name], places)


def _combined(make: Callable[..., Any], sources: Sequence[_Source], reading: _Reading) -> Sequence[Any]:
    return list(map(make, *[source(reading) for source in sources]))


def _nothing(reading: _Reading) -> Sequence[None]:
    return [None] * reading.count


def _leaf_source(element: "Element", places: _Places) -> _Source:
    columns: list[tuple[str, int]] = []
    for name in element.names:
        part, place = places.get(name, (None, 0))
        if isinstance(part, Nested):
            raise _Unfit
        if part is not None:
            columns.append((name, place))
    if len(columns) == 1:
        (name, place), part = columns[0], places[columns[0][0]][0]
        is_full = isinstance(part, Leaf) and part.always_there
        return partial(_full if is_full else _one_spelling, element, name, place)
    return partial(_spellings, element, columns)


def _full(element: "Element", name: str, place: int, reading: _Reading) -> Sequence[Any]:
    column: Sequence[Any] = reading.columns[place]
    if element.convert is not text or "![" in "".join(column):
        return _usable(element, _converted(column, element.convert, reading, name))
    # As good as never the same as one before.
    texts = list(map(str.strip, column))
    if "![" in "\n".join(texts):
        texts = [text(each, reading.document.zone) for each in texts]
    return _usable(element, [each or None for each in texts] if "" in texts else texts)


def _one_spelling(element: "Element", name: str, place: int, reading: _Reading) -> Sequence[Any]:
    column = reading.columns[place]
    if None in column and not element.optional:
        _note_missing(element, reading)
    return _usable(element, _converted(column, element.convert, reading, name))


def _spellings(element: "Element", columns: Sequence[tuple[str, int]], reading: _Reading) -> Sequence[Any]:
    cells = [reading.columns[place] for _, place in columns]
    values: Sequence[Any] = _nothing(reading)
    missing = not columns or any(each.count(None) == len(each) for each in zip(*cells, strict=True))
    if missing and not element.optional:
        _note_missing(element, reading)
    for (name, _), column in zip(columns, _chosen(cells), strict=True):
        values = _either(_converted(column, element.convert, reading, name), values)
    return _usable(element, values)


def _chosen(columns: Sequence[Column]) -> Sequence[Column]:
    """Leave of several spellings the one that says something, item by item."""
    chosen: list[list[str | None]] = [[] for _ in columns]
    for cells in zip(*columns, strict=True):
        spoken = next((place for place, cell in enumerate(cells) if cell and cell.strip()), None)
        for place, cell in enumerate(cells):
            chosen[place].append(cell if place == spoken else None)
    return chosen


def _note_missing(element: "Element", reading: _Reading) -> None:
    reading.document.note(DriftKind.MISSING_ELEMENT, f"{reading.path}/{element.names[0]}")


def _usable(element: "Element", values: Sequence[Any]) -> Sequence[Any]:
    if element.required and (None in values or UNKNOWN in values):
        # What is told of is the first item that is not.
        raise _Unfit
    return values


def _converted(column: Column, convert: Convert, reading: _Reading, name: str) -> Sequence[Any]:
    values: dict[str | None, Any] = {}
    zone = reading.document.zone
    for cell in set(column):
        try:
            values[cell] = convert(stripped, zone) if cell and (stripped := cell.strip()) else None
        except ValueError:
            values[cell] = reading.document.convert(cell, convert, f"{reading.path}/{name}")
    if reading.as_json and convert is not text:
        values = {cell: to_jsonable_python(value) for cell, value in values.items()}
    return list(map(values.__getitem__, column))


def _nested_source(path: tuple[str, ...], record: "Record[Any]", places: _Places) -> _Source:
    part, place = places.get(path[0], (None, None))
    if place is None:
        return _no_records
    if not isinstance(part, Nested):
        return partial(_blank, place)
    plan = _plan(record, part.form)
    if part.path != path or plan is None:
        raise _Unfit
    return partial(_records, part, place, plan)


def _no_records(reading: _Reading) -> Sequence[list[Row]]:
    return [[] for _ in range(reading.count)]


def _blank(place: int, reading: _Reading) -> Sequence[list[Row]]:
    # A text where records should stand is told of.
    if any(cell and cell.strip() for cell in reading.columns[place]):
        raise _Unfit
    return _no_records(reading)


def _records(part: Nested, place: int, plan: _Plan, reading: _Reading) -> Sequence[list[Row]]:
    *first, further = reading.columns[place : place + part.groups]
    path = "/".join((reading.path, *part.path))
    if part.leaves[0].always_there and None not in first[0] and not any(further):
        return [[row] for row in _rows(plan, first, reading.document, path, reading.has_references, reading.as_json)]
    items = [_nested_items(part, *cells) for cells in zip(*first, further, strict=True)]
    columns: list[Column] = list(zip(*chain.from_iterable(items), strict=True))
    rows = iter(
        _rows(plan, columns, reading.document, path, reading.has_references, reading.as_json) if columns else ()
    )
    return [list(islice(rows, len(each))) for each in items]


def _nested_items(part: Nested, *cells: str | None) -> list[Cells]:
    *first, further = cells
    items = [] if all(cell is None for cell in first) else [tuple(first)]
    matches = iter(part.form.pattern.scanner(further or "").match, None)  # type: ignore[attr-defined]
    return items + [each.groups() for each in matches]
