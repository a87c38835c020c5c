"""What commands print: tables for people, JSON for programs."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

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
