"""Contacts as CSV (RFC 4180) under a header that names their fields."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from app.api.contact_rows import SEX_CODES, VARIABLES
from app.api.handlers import field_error
from app.api.tables import unmarked
from app.errors import FieldError, MalformedRequest, ValidationFailed
from app.resources.imports.rows import MAX_ROW, Row, TextWindow, quick_line, too_large
from app.texts import sentence

_FIELDS = ("email", "name", "sex", "birthday", "phone", "area")
_NAMES = (*_FIELDS, *VARIABLES)
_KNOWN = frozenset(_NAMES)
_FAULTS = {
    "unexpected end": "a quote is never closed",
    "',' expected": "after a closing quote, only a comma or the line's end may stand",
}
"""How the library's messages begin, and our words for them."""
_OTHER_FAULT = "it is not CSV"
FAULTS = (*_FAULTS.values(), _OTHER_FAULT)
_PADDING = " \t\xa0\u3000"


class CsvRows:
    """Empty cells say nothing, and empty rows are passed over."""

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._pick = itemgetter(0, 0)
        self._sex = -1

    def rows(self, window: TextWindow) -> Iterator[Row | None]:
        """Read a row from every record below the header.

        Raises:
            ValidationFailed: the header names no `email`, or a column that is unknown or there already.
            MalformedRequest: quotes that do not match, after which nothing is certain to be a row; a row that is too
                long.
        """
        columns = 0
        for record in _records(window):
            if record is None:
                yield None
                continue
            line, cells = record
            if not columns:
                columns = self._begin(line, cells)
                yield None
            elif len(cells) > columns and any(cells[columns:]):
                yield Row(
                    line,
                    None,
                    (
                        "too_many_cells",
                        sentence("has {count} cells under {columns} columns", count=len(cells), columns=columns),
                    ),
                )
            else:
                yield Row(line, cells[:columns])

    def _begin(self, line: int, cells: list[str]) -> int:
        self._columns = _columns(line, cells)
        count = len(self._columns)
        # Behind the last column stands an empty cell for those that are missing.
        self._pick = itemgetter(*(self._columns.index(name) if name in self._columns else count for name in _NAMES))
        self._sex = self._columns.index("sex") if "sex" in self._columns else -1
        return count

    def quick(self, data: Any) -> str | None:
        cells = data + [""] * (len(self._columns) + 1 - len(data))
        if self._sex >= 0 and cells[self._sex]:
            sex = SEX_CODES.get(cells[self._sex])
            if not sex:
                return None
            cells[self._sex] = sex
        return quick_line(";".join(self._pick(cells)))

    def contact(self, data: Any) -> Any:
        given = {name: cell for name, cell in zip(self._columns, data, strict=False) if cell}
        variables = {name: given.pop(name) for name in VARIABLES if name in given}
        return {**given, "variables": variables} if variables else given

    def error(self, row: Row, location: Sequence[str | int], code: str, message: str) -> FieldError:
        """Name the column, which is a variable's as well as a field's."""
        column = [step for step in location if step != "variables"]
        return replace(field_error(("body", *column), code, message), line=row.line)


def _records(window: TextWindow) -> Iterator[tuple[int, list[str]] | None]:
    """Read records with the line each begins on; None for an empty one, and when the window holds no whole one."""
    first = 1
    while True:
        lines = _lines(window)
        records = _Records(lines, first, ended=window.ended)
        yield from records.read()
        first += records.done
        if window.ended:
            return
        window.text = "".join(lines[records.done :]) + window.text
        if len(window.text) > MAX_ROW:
            raise too_large(sentence("The row that begins in line {number}", number=first))
        window.hungry = True
        yield None


def _lines(window: TextWindow) -> list[str]:
    """Take the whole lines out of the window; a carriage return at its end may yet be followed by a line feed."""
    lines = io.StringIO(window.text, newline="").readlines()
    window.text = "" if window.ended or not lines or lines[-1].endswith("\n") else lines.pop()
    return lines


def _fault(message: str) -> str:
    return next((ours for start, ours in _FAULTS.items() if message.startswith(start)), _OTHER_FAULT)


class _Records:
    """Reads records from lines."""

    def __init__(self, lines: list[str], first: int, *, ended: bool) -> None:
        self._lines, self._first, self._ended = lines, first, ended
        # Without `strict`, a quote that is never closed would swallow all rows below it.
        self._reader = csv.reader(lines, strict=True, skipinitialspace=True)
        self._long = max(map(len, lines), default=0) > MAX_ROW
        self.done = 0

    def read(self) -> Iterator[tuple[int, list[str]] | None]:
        """Read all whole records; one that goes on below the last line is left."""
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._check_size()
                if self._ended or not str(error).startswith("unexpected end"):
                    detail = sentence(
                        "The CSV cannot be read from line {number} on: {fault}.",
                        number=self._first + self.done,
                        fault=sentence(_fault(str(error))),
                    )
                    raise MalformedRequest(detail) from None
                return
            if self._long or self._reader.line_num > self.done + 1:
                self._check_size()
            cells = [unmarked(cell.strip(_PADDING)) for cell in cells]
            yield (self._first + self.done, cells) if any(cells) else None
            self.done = self._reader.line_num

    def _check_size(self) -> None:
        if sum(map(len, self._lines[self.done : self._reader.line_num])) > MAX_ROW:
            raise too_large(sentence("The row that begins in line {number}", number=self._first + self.done))


def _columns(line: int, cells: list[str]) -> list[str]:
    names = [cell.lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    errors = [
        field_error(("body", name[:100]), "unknown_field", "is not a contact field")
        for name in names
        if name not in _KNOWN
    ]
    errors += [
        field_error(("body", name), "repeated_field", "stands more than once")
        for name in sorted(_KNOWN)
        if names.count(name) > 1
    ]
    if "email" not in names:
        errors.append(field_error(("body", "email"), "missing", "must be a column"))
    if errors:
        located = [replace(each, line=line) for each in errors[:100]]
        raise ValidationFailed("The CSV's header is refused; it must name contact fields.", located)
    return names
