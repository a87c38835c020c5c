"""Contacts as JSON (RFC 8259): newline-delimited, or one document with an array of them under `contacts`."""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.api.handlers import field_error
from app.api.strict_json import strict_decoder
from app.api.uploads import validated
from app.errors import FieldError, MalformedRequest, ValidationFailed
from app.resources.imports.rows import MAX_ROW, Row, TextWindow, quick_contact, too_large
from app.resources.imports.schemas import UncheckedContacts
from app.texts import Text, sentence

_MAX_FIELDS = 100

# No field of a contact is a number, and a float takes any number of digits.
decode = strict_decoder(parse_int=float).raw_decode


class JsonLines:
    """Only a line feed ends a line: U+2028 and the like may stand in a JSON string."""

    def rows(self, window: TextWindow) -> Iterator[Row | None]:
        """Read a row from every line that is not blank; raises `MalformedRequest` where a line is too long."""
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
        return quick_contact(data)

    def contact(self, data: Any) -> Any:
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


_BLANKS = re.compile(r"[ \t\n\r]*+")
_COMMA = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+(?=.)")


class JsonDocument:
    """What surrounds the rows is refused as soon as it cannot be right, without reading on."""

    def rows(self, window: TextWindow) -> Iterator[Row | None]:
        """Read a row from every element of the array.

        Raises:
            MalformedRequest: this is not JSON, or holds a value that is too long.
            ValidationFailed: it is not an object with just such an array.
        """
        first = yield from _peek(window)
        if not first:
            return
        if first != "{":
            _refuse([] if first == "[" else (yield from _value(window, sentence("The document"))))
        count = yield from _members(window)
        if (yield from _peek(window)):
            raise _not_json(sentence("after the end of the document"))
        if not count:
            _refuse({} if count is None else {"contacts": []})

    def quick(self, data: Any) -> str | None:
        return quick_contact(data)

    def contact(self, data: Any) -> Any:
        return data

    def error(self, row: Row, location: Sequence[str | int], code: str, message: str) -> FieldError:
        """Point into the one document."""
        return field_error(("body", "contacts", row.line - 1, *location), code, message)


def _members(window: TextWindow) -> Generator[Row | None, None, int | None]:
    """Read the object; returns how many contacts it holds, None when it does not say."""
    count: int | None = None
    window.at += 1
    if (yield from _peek(window)) == "}":
        window.at += 1
        return count
    mark = ","
    while mark == ",":
        yield from _name(window, repeated=count is not None)
        count = yield from _contacts(window)
        mark = yield from _mark(window, ",}", sentence("after the array of contacts"))
    return count


def _name(window: TextWindow, *, repeated: bool) -> Generator[None, None, None]:
    if (yield from _peek(window)) != '"':
        raise _not_json(sentence("where a name should stand"))
    name: str = yield from _value(window, sentence("A name"))
    yield from _mark(window, ":", sentence("after a name"))
    if name != "contacts":
        _refuse({"contacts": [None], name: None})
    if repeated:
        error = field_error(("body", "contacts"), "repeated_field", "stands more than once")
        raise ValidationFailed("1 field refused.", [error])


def _contacts(window: TextWindow) -> Generator[Row | None, None, int]:
    first = yield from _peek(window)
    if first != "[":
        _refuse({"contacts": {} if first == "{" else (yield from _value(window, sentence("`contacts`")))})
    window.at += 1
    if (yield from _peek(window)) == "]":
        window.at += 1
        return 0
    number = 0
    mark = ","
    while mark == ",":
        for value in _ready(window, number + 1):
            number += 1
            yield json_row(number, value)
        yield from _peek(window)
        number += 1
        yield json_row(number, (yield from _value(window, sentence("Contact {number}", number=number))))
        mark = yield from _mark(window, ",]", sentence("after contact {number}", number=number))
    return number


def _ready(window: TextWindow, number: int) -> Iterator[Any]:
    """Read the values that stand in the window whole, each with the comma after it and the start of the next."""
    text, start = window.text, _skip(window)
    while True:
        try:
            value, end = decode(text, start)
        except (ValueError, RecursionError):
            return
        comma = _COMMA.match(text, end)
        if not comma:
            return
        if end - start > MAX_ROW:
            raise too_large(sentence("Contact {number}", number=number))
        start = window.at = comma.end()
        number += 1
        yield value


def _skip(window: TextWindow) -> int:
    blanks = _BLANKS.match(window.text, window.at)
    window.at = blanks.end() if blanks else window.at
    return window.at


def _peek(window: TextWindow) -> Generator[None, None, str]:
    """Pass over white space; returns the character after it, or nothing at the end of the body."""
    while _skip(window) == len(window.text):
        if window.ended:
            return ""
        window.hungry = True
        yield None
    return window.text[window.at]


def _mark(window: TextWindow, marks: str, where: Text) -> Generator[None, None, str]:
    found = yield from _peek(window)
    if not found or found not in marks:
        raise _not_json(where)
    window.at += 1
    return found


def _value(window: TextWindow, what: Text) -> Generator[None, None, Any]:
    """Read the value that begins where the window stands."""
    while True:
        text, start = window.text, window.at
        try:
            value, end = decode(text, start)
        except json.JSONDecodeError:
            end = None
        except ValueError as error:
            raise _not_json(sentence("in {what}: {fault}", what=_lower(what), fault=str(error))) from None
        except RecursionError:
            raise MalformedRequest(sentence("{what} is nested too deeply.", what=what)) from None
        # A number at the end of the window may go on, even where `e+` seems to follow it.
        if end is not None and (end + 2 < len(text) or window.ended):
            if end - start > MAX_ROW:
                raise too_large(what)
            window.at = end
            return value
        if len(text) - start > MAX_ROW:
            raise _too_large_or_not_json(window, what)
        if window.ended:
            raise _not_json(sentence("in {what}", what=_lower(what)))
        window.hungry = True
        yield None


def _too_large_or_not_json(window: TextWindow, what: Text) -> MalformedRequest:
    """Tell a value that goes on beyond what may be read from one that is broken before."""
    piece = window.text[window.at : window.at + MAX_ROW]
    try:
        decode(piece, 0)
    except json.JSONDecodeError as error:
        if error.pos < MAX_ROW - 12 and not error.msg.startswith("Unterminated"):
            return _not_json(sentence("in {what}", what=_lower(what)))
    return too_large(what)


def _lower(what: Text) -> Text:
    return sentence(what.template[0].lower() + what.template[1:], **what.values)


def _refuse(data: Any) -> None:
    validated(UncheckedContacts, data)


def _not_json(where: Text) -> MalformedRequest:
    return MalformedRequest(sentence("The body is not valid JSON {where}.", where=where))
