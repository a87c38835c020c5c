"""Sentences for people that can be told in their language."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails


class Text(str):
    """A sentence in English that knows its template and values, by which a catalogue translates it."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, Any]

    def __reduce__(self) -> Any:
        """Copy and pickle as what it was made of."""
        return _rebuilt, (self.template, self.values)


def sentence(template: str, /, **values: Any) -> Text:
    """Return `template` with its named values put in; values that are texts are translated with it."""
    made = Text(template.format_map(values))
    made.template, made.values = template, values
    return made


def _rebuilt(template: str, values: dict[str, Any]) -> Text:
    return sentence(template, **values)


_REASONS: Mapping[str, str] = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "missing": "is missing",
    "extra_forbidden": "is not a field that there is",
    "path_not_file": "is not a file that there is",
    "ip_any_network": "must be a network like 10.0.0.0/8, without host bits",
    "timezone_aware": "must have an offset, like 2030-01-31T00:00:00Z",
    "datetime_from_date_parsing": "must be a time like 2030-01-31T00:00:00Z",
    "datetime_parsing": "must be a time like 2030-01-31T00:00:00Z",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "list_type": "must be a list",
}


def reason_of(error: ErrorDetails) -> str:
    """Say what is wrong with a value."""
    bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in error.get("ctx", {}).items()}
    if error["type"] in {"too_short", "string_too_short"}:
        least, unit = bounds["min_length"], "characters" if bounds.get("field_type", "Value") == "Value" else "entries"
        return "must not be empty" if least == 1 else f"must have at least {least} {unit}"
    reason = _REASONS.get(error["type"])
    if reason is not None:
        return reason.format(**bounds)
    if error["type"] == "string_pattern_mismatch":
        return "has characters that it may not have"
    return error["msg"].removeprefix("Value error, ")


_LONGEST_ROOT_PATH = 200
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


def root_path(value: str) -> str:
    """Return the path in front of all paths without a slash at its end.

    Raises:
        ValueError: it could name another host, climb, or need quoting in a page or a header.
    """
    path = value.rstrip("/")
    if len(path) > _LONGEST_ROOT_PATH or not _ROOT_PATH.fullmatch(path):
        raise ValueError("must be a plain path like /umail")
    return path
