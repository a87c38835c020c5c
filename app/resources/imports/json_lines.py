"""Contacts as newline-delimited JSON, a document a line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.api.handlers import field_error
from app.api.strict_json import strict_decoder
from app.errors import FieldError
from app.resources.imports.quick import quick_contact
from app.resources.imports.rows import MAX_ROW, Row, TextWindow, too_large
from app.texts import sentence

_MAX_FIELDS = 100

# No field of a contact is a number, and a float takes any number of digits.
decode = strict_decoder(parse_int=float).raw_decode


class JsonLines:
    """Only a line feed ends a line: U+2028 and the like may stand in a JSON string."""

    def rows(self, window: TextWindow) -> Iterator[Row | None]:
        """Read a row from every line that is not blank.

        Raises:
            MalformedRequest: a line is too long.
        """
        done = 0
        while True:
            *lines, rest = window.text.split("\n")
            if window.ended:
                lines, rest = [*lines, rest], ""
            for number, line in enumerate(lines, done + 1):
                if len(line) > MAX_ROW:
                    raise too_large(sentence("Line {number}", number=number))
                yield _line_row(number, line)
            if window.ended:
                return
            done += len(lines)
            if len(rest) > MAX_ROW:
                raise too_large(sentence("Line {number}", number=done + 1))
            window.text, window.hungry = rest, True
            yield None

    def quick(self, data: Any) -> str | None:
        """Return a contact as a line if it is obviously good."""
        return quick_contact(data)

    def contact(self, data: Any) -> Any:
        """Return a contact as it is."""
        return data

    def error(self, row: Row, location: Sequence[str | int], code: str, message: str) -> FieldError:
        """Point into the line's own document."""
        return replace(field_error(("body", *location), code, message), line=row.line)


def json_row(line: int, data: Any) -> Row:
    """Return a row of JSON data; one of very many fields is not looked at further, for each is an error to describe."""
    if type(data) is dict and (len(data) > _MAX_FIELDS or _crowded(data.get("variables"))):
        return Row(line, None, ("too_many_fields", sentence("has more than {count} fields", count=_MAX_FIELDS)))
    return Row(line, data)


def _crowded(variables: Any) -> bool:
    return type(variables) is dict and len(variables) > _MAX_FIELDS


def _line_row(number: int, line: str) -> Row | None:
    text = line.strip(" \t\r")
    if not text:
        return None
    try:
        data, end = decode(text, 0)
    except (ValueError, RecursionError):
        return Row(number, None, ("json_invalid", "is not JSON")) if line.strip() else None
    if end < len(text):
        return Row(number, None, ("json_invalid", "is not JSON"))
    return json_row(number, data)
