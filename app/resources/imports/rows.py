"""Rows of contacts, read from text one after the other; nothing here judges what they say.

A row that cannot be read at all still comes out, with its problem, so that the caller may skip it like any other. What
leaves the rest of the body in doubt raises.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.api.contact_rows import VARIABLES
from app.api.handlers import field_error
from app.errors import FieldError, MalformedRequest, ValidationFailed

_FIELDS = ("email", "name", "sex", "birthday", "phone", "area")
_COLUMNS = frozenset((*_FIELDS, *VARIABLES))


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Args:
        line: the line on which it begins, from 1; the position in a JSON array.
        data: what it says, in the form of a `ContactRow`.
        path: where it stands in a JSON document that holds them all; None when every row is a document of its own.
        problem: why it cannot be read: a code and a message.
        columns: whether its values stand in columns, the variables among them.
    """

    line: int
    data: Any
    path: tuple[str | int, ...] | None = None
    problem: tuple[str, str] | None = None
    columns: bool = False


def json_rows(contacts: list[Any]) -> Iterator[Row]:
    """Return the rows of a JSON array under `contacts`."""
    for index, contact in enumerate(contacts):
        yield Row(index + 1, contact, ("contacts", index))


def ndjson_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Return the rows of newline-delimited JSON; blank lines are passed over."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Row(number, json.loads(line))
        except (ValueError, RecursionError):
            yield Row(number, None, problem=("json_invalid", "is not JSON"))


def csv_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Return the rows of CSV (RFC 4180) below its header; empty cells say nothing, and empty rows are passed over.

    Raises:
        ValidationFailed: the header names no `email`, or a column that is unknown or there already.
        MalformedRequest: quotes that do not match, after which nothing is certain to be a row.
    """
    records = _records(lines)
    header = next(records, None)
    if header is None:
        return
    columns = _columns(*header)
    for line, cells in records:
        if len(cells) > len(columns):
            yield Row(line, None, problem=("too_many_cells", f"has {len(cells)} cells under {len(columns)} columns"))
        else:
            yield Row(line, _contact(columns, cells), columns=True)


def _records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    # Without `strict`, a quote that is never closed would swallow all rows below it.
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise MalformedRequest(f"The CSV cannot be read from line {line} on: {error}.") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _columns(line: int, cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    errors = [
        field_error(("body", name[:100]), "unknown_field", "is not a contact field")
        for name in names
        if name not in _COLUMNS
    ]
    errors += [
        field_error(("body", name), "repeated_field", "stands more than once")
        for name in sorted(_COLUMNS)
        if names.count(name) > 1
    ]
    if "email" not in names:
        errors.append(field_error(("body", "email"), "missing", "must be a column"))
    if errors:
        located = [FieldError(each.source, each.location, each.code, each.message, line) for each in errors[:100]]
        raise ValidationFailed("The CSV's header is refused; it must name contact fields.", located)
    return names


def _contact(columns: list[str], cells: list[str]) -> dict[str, Any]:
    given = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.strip()}
    variables = {name: given.pop(name) for name in VARIABLES if name in given}
    return {**given, "variables": variables} if variables else given
