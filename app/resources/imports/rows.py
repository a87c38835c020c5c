"""Rows of contacts, read from text that arrives in pieces; nothing here judges what they say.

A form's `rows` is a generator over a `TextWindow` on the text. It yields a `Row` per contact, or None where there is
none: for a blank line, and when the window holds no whole row, which it marks as `hungry`. Its driver then feeds the
window, or ends it, and goes on. So a form reads as straight code and never holds more than a few rows.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from app.api.contact_rows import SEX_CODES, VARIABLES
from app.errors import FieldError, MalformedRequest
from app.texts import sentence

MAX_ROW = 64 * 1024
"""The most characters of one row: three times what the longest valid contact takes in CSV."""


class Row(NamedTuple):
    """One row.

    Args:
        line: the line on which it begins, from 1; the position in a JSON array.
        problem: why it cannot be read, although those after it can: a code and a message.
    """

    line: int
    data: Any
    problem: tuple[str, str] | None = None


class TextWindow:
    """The part of a text that is being read.

    Attributes:
        hungry: whether reading cannot go on without more.
    """

    __slots__ = ("at", "ended", "hungry", "text")

    def __init__(self) -> None:
        self.text, self.at = "", 0
        self.ended = self.hungry = False

    def feed(self, text: str) -> None:
        """Take in what comes next."""
        self.text, self.at, self.hungry = self.text[self.at :] + text, 0, False

    def end(self) -> None:
        """Take note that nothing more will come."""
        self.ended, self.hungry = True, False


class RowFormat(Protocol):
    """One way to write contacts down."""

    def rows(self, window: TextWindow) -> Iterator[Row | None]:
        """Read all rows; empty ones are passed over.

        Raises:
            MalformedRequest: what leaves the rest of the body in doubt.
            ValidationFailed: what surrounds the rows is refused.
        """

    def quick(self, data: Any) -> str | None:
        """Return a row's data as a line if it is obviously good (see `quick_line`)."""

    def contact(self, data: Any) -> Any:
        """Return a row's data in the form of a `ContactRow`."""

    def error(self, row: Row, location: Sequence[str | int], code: str, message: str) -> FieldError:
        """Describe what is wrong at a location within a row."""


def too_large(what: str) -> MalformedRequest:
    """Return the error for a row that would have to be held in memory to be read."""
    return MalformedRequest(sentence("{what} is longer than {max_row} characters.", what=what, max_row=MAX_ROW))


# Nothing that Unicode or IDNA would have a say in, nothing reserved, no label that could be too long.
EMAIL = (
    r"(?=[^;]{1,64}(?:;|\Z))"
    r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+"
    r"@(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)++"
    r"(?!(?i:arpa|invalid|local|localhost|onion|test)(?:;|\Z))[A-Za-z]{2,}+"
)
_DAY = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_BIRTHDAY = rf"(?:(?!0000)[0-9]{{4}}-{_DAY})?"
_CELL = "(?:(?!\\s)[^;；,，\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]{1,255}+)?+"
_LINE = re.compile(rf"{EMAIL}(?:;{_CELL}(?:;[MF]?(?:;{_BIRTHDAY}(?:;{_CELL}){{0,12}}+)?)?)?")

_SEPARATORS = 15
_SEXES: dict[Any, str] = {None: "", **SEX_CODES}
_NAMES = frozenset({"email", "name", "sex", "birthday", "phone", "area", "variables"})
_VARIABLE_NAMES = frozenset(VARIABLES)
_NO_VARIABLES: dict[str, Any] = {}
_NO_COLUMNS = [""] * len(VARIABLES)


def quick_line(columns: str) -> str | None:
    """Return sixteen columns, joined by semicolons, as a line if that is what `write_line` would make of them.

    A value that holds a semicolon itself is found by the columns' number.
    """
    if columns.count(";") != _SEPARATORS:
        return None
    line = columns.rstrip(";")
    return line if _LINE.fullmatch(line) else None


def quick_contact(data: Any) -> str | None:
    """Return a contact, as JSON says it, as a line if it is obviously good."""
    if type(data) is not dict or not data.keys() <= _NAMES:
        return None
    variables = data.get("variables", _NO_VARIABLES)
    if type(variables) is not dict or not variables.keys() <= _VARIABLE_NAMES or data.get("birthday") == "":
        return None
    try:
        return quick_line(";".join(_columns(data, variables)))
    except (KeyError, TypeError):
        return None


def _columns(data: dict[str, Any], variables: dict[str, Any]) -> list[Any]:
    get = data.get
    columns = [data["email"], get("name"), _SEXES[get("sex")], get("birthday"), get("phone"), get("area")]
    if None in columns:
        columns = ["" if value is None else value for value in columns]
    return columns + ([variables.get(name, "") for name in VARIABLES] if variables else _NO_COLUMNS)
