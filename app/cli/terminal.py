"""What people enter, and what commands print: tables for people, JSON for programs."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from pydantic import AwareDatetime, SecretStr, TypeAdapter, ValidationError

from app.cli.starting import fail

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
_UNITS = {"h": "hours", "d": "days"}
_TIMES: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def read_password(what: str, *, from_stdin: bool) -> SecretStr:
    """Return a password: the next line of standard input, or what is typed, unseen, at a prompt."""
    if not from_stdin and not sys.stdin.isatty():
        fail(f"There is no terminal to ask for the {what}: use --password-stdin.")
    try:
        text = sys.stdin.readline().rstrip("\r\n") if from_stdin else typer.prompt(what, hide_input=True, err=True)
        text.encode()
    except UnicodeError:
        fail(f"The {what} is not UTF-8.")
    if not text:
        fail(f"The {what} is empty.")
    return SecretStr(text)


def parse_expiry(text: str | None, option: str = "--expires") -> datetime | None:
    """Return the moment that `90d`, `12h` or an RFC 3339 time with an offset stands for; it must be in the future."""
    if text is None:
        return None
    now = datetime.now(UTC)
    span = _SPAN.fullmatch(text)
    try:
        moment = now + timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else _TIMES.validate_strings(text)
    except ValidationError:
        fail(f"{option}: must be a span such as 90d or 12h, or a time such as 2030-01-31T00:00:00Z")
    if moment <= now:
        fail(f"{option}: must be in the future")
    return moment


def confirm(question: str, *, yes: bool) -> None:
    """End the command unless the answer is yes."""
    if not yes and not sys.stdin.isatty():
        fail("There is no terminal to ask: use --yes.")
    if not yes and not typer.confirm(question, err=True):
        fail("Nothing was done.", code=1)


_BETWEEN = "  "
_NOTHING = "-"


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under the names of their columns."""
    lines = [[name.upper() for name in names], *([shown(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        typer.echo(_BETWEEN.join(cells).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one pair a line."""
    width = max(map(len, fields)) + 1
    for name, value in fields.items():
        typer.echo(f"{name + ':':<{width}} {shown(value)}")


def shown(value: object) -> str:
    """Return a value as people read it; what could steer a terminal is escaped."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    # Not whatever can be iterated over: a network is as many addresses.
    if isinstance(value, (tuple, list, frozenset)):
        return ",".join(sorted(map(shown, value))) or _NOTHING
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)
