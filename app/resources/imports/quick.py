"""Recognizing rows that are obviously good, at a tenth of the cost of checking them.

What is recognized here is a subset of what `ContactRow` accepts, and written the way `write_line` writes it; nothing
is ever refused here. A row that is not recognized is checked in full.
"""

import re
from typing import Any

from app.api.contact_rows import SEX_CODES, VARIABLES

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
