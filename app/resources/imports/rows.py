"""Rows of contacts, read from text that arrives in pieces; nothing here judges what they say.

A form's `rows` is a generator over a `TextWindow` on the text. It yields a `Row` per contact, or None where there is
none: for a blank line, and when the window holds no whole row, which it marks as `hungry`. Its driver then feeds the
window, or ends it, and goes on. So a form reads as straight code and never holds more than a few rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from app.errors import FieldError, MalformedRequest
from app.texts import sentence

MAX_ROW = 64 * 1024
"""The most characters of one row: three times what the longest valid contact takes in CSV."""


class Row(NamedTuple):
    """One row.

    Args:
        line: the line on which it begins, from 1; the position in a JSON array.
        data: what it says, as its form reads it.
        problem: why it cannot be read, although those after it can: a code and a message.
    """

    line: int
    data: Any
    problem: tuple[str, str] | None = None


class TextWindow:
    """The part of a text that is being read.

    Attributes:
        text: what has arrived and is not yet done with.
        at: how far into it reading has come.
        ended: whether `text` is the last there is.
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
        """Return a row's data as a line if it is obviously good (see `app.resources.imports.quick`)."""

    def contact(self, data: Any) -> Any:
        """Return a row's data in the form of a `ContactRow`."""

    def error(self, row: Row, location: Sequence[str | int], code: str, message: str) -> FieldError:
        """Describe what is wrong at a location within a row."""


def too_large(what: str) -> MalformedRequest:
    """Return the error for a row that would have to be held in memory to be read."""
    return MalformedRequest(sentence("{what} is longer than {max_row} characters.", what=what, max_row=MAX_ROW))
