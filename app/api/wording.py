"""Refused fields in the gateway's own words: what the validating library says is not for people."""

from collections.abc import Mapping
from typing import Any

from app.texts import sentence

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
