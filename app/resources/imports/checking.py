"""Checking rows and writing those that pass in the platform's line form, one row at a time."""

from collections.abc import Iterable
from dataclasses import replace

from pydantic import ValidationError

from app.api.contact_rows import ContactRow, write_line
from app.api.handlers import field_error
from app.errors import FieldError, ValidationFailed
from app.resources.imports.files import ImportFile, RowCounts
from app.resources.imports.rows import Row
from app.resources.imports.schemas import OnInvalid

_SHOWN = 100
_FILE_NAME = "contacts.txt"


class RowChecker:
    """Takes rows in turn and keeps count of what becomes of them."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.error_count = 0
        self._refused_lines: list[int] = []
        self._refused = 0
        self._accepted = 0
        self._addresses: set[str] = set()

    def check(self, row: Row) -> str | None:
        """Return the row as a line without its line break, or None when it is refused."""
        if row.problem:
            self._refuse(row, [_error(row, (), *row.problem)])
            return None
        try:
            contact = ContactRow.model_validate(row.data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            self._refuse(row, [_error(row, each["loc"], each["type"], each["msg"]) for each in details])
            return None
        self._accepted += 1
        self._addresses.add(contact.email.lower())
        return write_line(contact)

    def _refuse(self, row: Row, errors: list[FieldError]) -> None:
        self._refused += 1
        self.error_count += len(errors)
        self.errors += errors[: _SHOWN - len(self.errors)]
        if len(self._refused_lines) < _SHOWN:
            self._refused_lines.append(row.line)

    @property
    def counts(self) -> RowCounts:
        """What has become of the rows so far."""
        duplicates = self._accepted - len(self._addresses)
        return RowCounts(self._accepted, duplicates, self._refused, tuple(self._refused_lines))

    def finish(self, on_invalid: OnInvalid) -> RowCounts:
        """Return the counts once all rows have been taken.

        Raises:
            ValidationFailed: a row is refused and may not be skipped, or none is left.
        """
        counts = self.counts
        if counts.skipped and (on_invalid == "reject" or not counts.accepted):
            more = f" The first {_SHOWN} are listed." if self.error_count > _SHOWN else ""
            detail = f"{self.error_count} fields in {counts.skipped} of {counts.skipped + counts.accepted} rows refused"
            raise ValidationFailed(f"{detail}; nothing was imported.{more}", self.errors)
        if not counts.accepted:
            raise no_rows()
        return counts


def checked_file(rows: Iterable[Row], on_invalid: OnInvalid) -> ImportFile:
    """Check all rows and return the file to upload.

    Raises:
        ValidationFailed: see `RowChecker.finish`.
    """
    checker = RowChecker()
    lines = [line for row in rows if (line := checker.check(row)) is not None]
    counts = checker.finish(on_invalid)
    return ImportFile(_FILE_NAME, "text/plain", "\n".join([*lines, ""]).encode(), counts)


def no_rows() -> ValidationFailed:
    """Return the error for a body without a single row."""
    error = FieldError("body", "", "no_contacts", "must hold at least one contact")
    return ValidationFailed("There is nothing to import.", [error])


def _error(row: Row, location: tuple[str | int, ...], code: str, message: str) -> FieldError:
    if row.path is not None:
        return field_error(("body", *row.path, *location), code, message)
    if row.columns:
        location = tuple(step for step in location if step != "variables")
    return replace(field_error(("body", *location), code, message), line=row.line)
