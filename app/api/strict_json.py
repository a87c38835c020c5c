"""JSON bodies: only what every reader understands alike (RFC 7493), and bounded before anything is built from them."""

import asyncio
import json
import math
import re
from typing import Any, NoReturn

from app.errors import MalformedRequest
from app.texts import Text, sentence

_MOST_VALUES = 20_000
"""Values of a body; the largest batch has half of that."""
_MOST_NAMES = 1_000
"""Names of one object."""
_DEEPEST = 64
_LARGE = 65_536
"""Bytes from which on a body is read in a thread."""
_TOKEN = re.compile(rb'[,\[\]{}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_OPENING, _CLOSING, _QUOTE = frozenset(b"[{"), frozenset(b"]}"), ord('"')
_FAULTS = {
    "Expecting value": "a value is missing here",
    "Expecting property name": "a name in double quotes is missing here",
    "Expecting ','": "a comma is missing here",
    "Expecting ':'": "a colon is missing here",
    "Illegal trailing comma": "no comma may stand here",
    "Unterminated string": "the text that begins here does not end",
    "Invalid control character": "this character may stand in a text only escaped",
    "Invalid \\": "JSON has no such escape",
    "Extra data": "the body should end here",
}
"""How the library's messages begin, and our words for them."""
_OTHER_FAULT = "this is not JSON"
FAULTS = (*_FAULTS.values(), _OTHER_FAULT)
_NOT_STRICT = "The body is not valid JSON: UTF-8, each name of an object once, no NaN."


async def read_strict_json(body: bytes) -> Any:
    """Read a body without stopping the loop for long.

    Raises:
        MalformedRequest: not JSON, not UTF-8, a name that stands twice in an object, NaN or an infinity; too deep, or
            too many values.
    """
    return await asyncio.to_thread(strict_json, body) if len(body) > _LARGE else strict_json(body)


def strict_json(body: bytes) -> Any:
    """Read a body; raises as `read_strict_json`."""
    _check_size(body)
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise MalformedRequest(
            sentence(
                "The body is not valid JSON at line {lineno}, column {colno}: {fault}.",
                lineno=error.lineno,
                colno=error.colno,
                fault=_fault(error.msg),
            )
        ) from None
    except (ValueError, RecursionError):
        raise MalformedRequest(_NOT_STRICT) from None


def _fault(message: str) -> Text:
    found = (ours for start, ours in _FAULTS.items() if message.startswith(start))
    return sentence(next(found, _OTHER_FAULT))


def strict_decoder(**options: Any) -> json.JSONDecoder:
    """Return a decoder for parts of a longer JSON text; what I-JSON does not allow is a ValueError."""
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite, **options)


def _check_size(body: bytes) -> None:
    if _punctuation(body) <= _DEEPEST:
        return
    # Token by token, so that it ends where there are too many, and other threads get their turn.
    values = strings = depth = 0
    for found in _TOKEN.finditer(body):
        sign = body[found.start()]
        if sign in _CLOSING:
            depth -= 1
            continue
        strings += sign == _QUOTE
        values += sign != _QUOTE
        depth += sign in _OPENING
        if values > _MOST_VALUES or strings > 2 * _MOST_VALUES:
            raise MalformedRequest(sentence("The body holds more than {most_values} values.", most_values=_MOST_VALUES))
        if depth > _DEEPEST:
            raise MalformedRequest(sentence("The body is more than {deepest} levels deep.", deepest=_DEEPEST))


def _punctuation(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_NAMES:
        raise ValueError(sentence("too many names"))
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(sentence("a name stands twice"))
    return found


def _finite(number: str) -> float:
    found = float(number)
    return found if math.isfinite(found) else _refuse(number)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError(sentence("not a number of JSON"))
