"""Checking rows and writing those that pass in the platform's line form, a few milliseconds at a time."""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, BinaryIO

from pydantic import ValidationError

from app.api.contact_rows import ContactRow, write_line
from app.api.languages import worded
from app.errors import FieldError, PayloadTooLarge, ValidationFailed
from app.resources.imports.rows import Row, RowFormat, TextWindow
from app.resources.imports.schemas import OnInvalid, RowCounts
from app.texts import sentence

_SHOWN = 100
_BUCKETS = 256


class AddressTally:
    """Counts different addresses in eight bytes each.

    It keeps a hash of 64 bits for every address and so is exact up to collisions: among two million addresses the odds
    that it counts one too few are one in nine million. The hash is keyed by the process, so none can be brought about.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, address: str) -> None:
        """Take in an address; case does not matter."""
        key = hash(address.lower())
        self._buckets[key % _BUCKETS].append(key)

    def distinct(self) -> int:
        """Return how many different addresses there were; of the whole, only a bucket at a time is copied."""
        return sum(len(set(bucket)) for bucket in self._buckets)


class RowChecker:
    """Takes rows in turn and keeps count of what becomes of them."""

    def __init__(self, form: RowFormat, max_rows: int) -> None:
        self._form, self._max_rows = form, max_rows
        self._addresses = AddressTally()
        self._errors: list[FieldError] = []
        self._error_count = 0
        self._refused_lines: list[int] = []
        self._refused = self._accepted = 0

    def check(self, row: Row) -> str | None:
        """Return the row as a line without its line break, or None when it is refused.

        Raises:
            PayloadTooLarge: there are too many rows.
        """
        if self._accepted + self._refused == self._max_rows:
            raise PayloadTooLarge(
                sentence("The body holds more than {max_rows} rows; nothing was imported.", max_rows=self._max_rows)
            )
        line = None if row.problem else self._form.quick(row.data) or self._checked(row)
        if row.problem:
            self._refuse(row, 1, [self._form.error(row, (), *row.problem)])
        if line is not None:
            self._accepted += 1
            self._addresses.add(line.partition(";")[0])
        return line

    def _checked(self, row: Row) -> str | None:
        try:
            return write_line(ContactRow.model_validate(self._form.contact(row.data)))
        except ValidationError as error:
            room = _SHOWN - len(self._errors)
            details = error.errors(include_url=False, include_input=False)[:room] if room else []
            errors = [self._form.error(row, each["loc"], each["type"], _message(each)) for each in details]
            self._refuse(row, error.error_count(), errors)
            return None

    def _refuse(self, row: Row, count: int, errors: list[FieldError]) -> None:
        self._refused += 1
        self._error_count += count
        self._errors += errors[: _SHOWN - len(self._errors)]
        if len(self._refused_lines) < _SHOWN:
            self._refused_lines.append(row.line)

    def finish(self, on_invalid: OnInvalid) -> RowCounts:
        """Return the counts once all rows have been taken.

        Raises:
            ValidationFailed: a row is refused and may not be skipped, or none is left.
        """
        if self._refused and (on_invalid == "reject" or not self._accepted):
            detail = sentence(
                "{count} fields in {refused} of {rows} rows refused; nothing was imported. At most {shown} are listed.",
                count=self._error_count,
                refused=self._refused,
                rows=self._refused + self._accepted,
                shown=_SHOWN,
            )
            raise ValidationFailed(detail, self._errors)
        if not self._accepted:
            raise no_rows()
        duplicates = self._accepted - self._addresses.distinct()
        return RowCounts(self._accepted, duplicates, self._refused, tuple(self._refused_lines))


def no_rows() -> ValidationFailed:
    """Return the error for a body without a single row."""
    error = FieldError("body", "", "no_contacts", "must hold at least one contact")
    return ValidationFailed("There is nothing to import.", [error])


def _message(detail: Mapping[str, Any]) -> str:
    return worded(detail["type"], detail["msg"], detail.get("ctx"))


_SLICE = 0.002
_FLUSH = 256 * 1024


async def write_rows(form: RowFormat, texts: AsyncIterator[str], checker: RowChecker, file: BinaryIO) -> int:
    """Read all rows, and write those that pass to a file; returns its size.

    Rows are checked on the event loop, in slices after which everyone else has a turn: a thread would contend for the
    interpreter and keep the loop waiting for longer. The file, which may be on a disk, is written in a thread.

    Raises:
        GatewayError: the body cannot be read.
    """
    window = TextWindow()
    rows = form.rows(window)
    lines = _Lines(file)
    while not _take(rows, window, checker, lines):
        await asyncio.sleep(0)
        await lines.flush(_FLUSH)
        if window.hungry:
            await _feed(window, texts)
    return await lines.flush()


def _take(rows: Iterator[Row | None], window: TextWindow, checker: RowChecker, lines: "_Lines") -> bool:
    """Check rows until they end, which is told, or the window is hungry, or time is up."""
    end = time.perf_counter() + _SLICE
    for row in rows:
        line = checker.check(row) if row else None
        if line is not None:
            lines.add(line)
        if window.hungry or time.perf_counter() > end:
            return False
    return True


async def _feed(window: TextWindow, texts: AsyncIterator[str]) -> None:
    text = await anext(texts, None)
    if text is None:
        window.end()
    else:
        window.feed(text)


class _Lines:
    """Lines on their way to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[str] = []
        self._length = self._written = 0

    def add(self, line: str) -> None:
        self._waiting.append(line)
        self._length += len(line)

    async def flush(self, at_least: int = 0) -> int:
        """Write what waits, if it is as long as that; returns how many bytes have been written in all."""
        if self._waiting and self._length >= at_least:
            content = "\n".join([*self._waiting, ""]).encode()
            self._waiting, self._length = [], 0
            self._written += await asyncio.to_thread(self._file.write, content)
        return self._written
