"""Languages: which one a request wants, and what a sentence is called in it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Literal

from starlette.types import Scope

from app.texts import Text, sentence

Language = Literal["en", "zh"]
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-CN"}
"""What languages are called in `Content-Language` and in pages."""

_FOLDER = Path(__file__).parents[1] / "locale"
_MOST_RANGES = 20
_RANGE = re.compile(r"\s*([A-Za-z*]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")
_ENTRY = re.compile(r'^(msgid|msgstr) ("(?:[^"\\]|\\.)*")$|^("(?:[^"\\]|\\.)*")$', re.MULTILINE)


class Catalogue(NullTranslations):
    """The translations of one language; a sentence that has none stays as it is."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__()
        self.messages = messages

    def gettext(self, message: str) -> str:
        """Translate a sentence, and the values inside a `Text`."""
        if isinstance(message, Text):
            values = {name: self._value(value) for name, value in message.values.items()}
            return self.messages.get(message.template, message.template).format_map(values)
        return self.messages.get(message, message)

    def _value(self, value: Any) -> Any:
        return self.gettext(value) if isinstance(value, str) else value


@cache
def catalogue(language: Language) -> Catalogue:
    """Return a language's catalogue; English is what the sentences are written in."""
    path = _FOLDER / f"{language}.po"
    return Catalogue(dict(read_catalogue(path.read_text(encoding="utf-8"))) if language != "en" else {})


def read_catalogue(po: str) -> Iterator[tuple[str, str]]:
    """Yield the entries of a `.po` file without plurals and contexts, its head left out."""
    parts: dict[str, str] = {}
    keyword = "msgid"
    for match in _ENTRY.finditer(po):
        if match[1] == "msgid" and parts.get("msgid"):
            yield parts["msgid"], parts["msgstr"]
        keyword = match[1] or keyword
        start = "" if match[1] else parts[keyword]
        parts[keyword] = start + ast.literal_eval(match[2] or match[3])
    if parts.get("msgid"):
        yield parts["msgid"], parts["msgstr"]


def language_of(scope: Scope) -> Language:
    """Return the language that a request's `Accept-Language` prefers; English unless it prefers Chinese."""
    return preferred_language(value for name, value in scope["headers"] if name == b"accept-language")


def preferred_language(headers: Iterable[bytes]) -> Language:
    """Return which of our languages weighs most (RFC 9110, 12.5.4); of equals the one named first."""
    weights: dict[str, float] = {}
    for each in b",".join(headers).decode("latin-1").split(",", _MOST_RANGES)[:_MOST_RANGES]:
        if match := _RANGE.fullmatch(each):
            weights.setdefault(match[1].lower(), float(match[2] or 1))
    ours = [name for name in weights if name in TAGS]
    best = max(ours, key=weights.__getitem__, default="en")
    return "zh" if best == "zh" and weights["zh"] > 0 else "en"


_BY_CODE = {
    "missing": "is needed",
    "extra_forbidden": "is not a field of this body",
    "string_type": "must be a text",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be greater than {gt}",
    "less_than": "must be less than {lt}",
    "string_pattern_mismatch": "does not have the form that is documented",
}
_OTHERWISE = "is not as documented"
_FILLED = (
    "is needed when {when}",
    "may stand only when {when}",
    "must have at most {limit} recipients in all",
)
"""Our own messages that hold values."""
TEMPLATES = frozenset({*_BY_CODE.values(), *_FILLED, _OTHERWISE})


def worded(code: str, message: str, context: Mapping[str, Any] | None = None) -> str:
    """Return what is wrong with a field, given an error of the library; our own messages begin in lower case."""
    values = {} if context is None else dict(context)
    if not message[:1].islower():
        return _filled(_BY_CODE.get(code, _OTHERWISE), values)
    filled = (_filled(template, values) for template in _FILLED if values)
    return next((each for each in filled if each == message), message)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    try:
        return sentence(template, **values)
    except KeyError:
        return sentence(_OTHERWISE)
