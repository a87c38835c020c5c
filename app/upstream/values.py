"""Converters from the platform's text to typed values.

A converter takes the stripped text of an element that is present and not empty, and the platform's time zone. It
raises `ValueError` for a text it cannot read; the caller then answers null and counts drift. Which converter reads an
element is declared per element: nothing is guessed from how a value looks.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

Convert = Callable[[str, tzinfo], Any]

_INTEGER = re.compile(r"([+-]?[0-9]{1,18})(?:\.0+)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?")
_ZERO_DATE = re.compile(r"0000-00-00(?:[ T]00:00(?::00)?)?")
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")
_EXACT_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}")
_YEAR_OF_WHOLE_MINUTES = 1973
_UNBRACKETED_CDATA = re.compile(r"!\[CDATA\[(.*)\]\]", re.DOTALL)


class UnknownCode(ValueError):
    """A code that is well-formed but not documented."""


def text(value: str, _zone: tzinfo) -> str:
    """Return the text; a CDATA section that lost its angle brackets (manual 4.8) is unwrapped."""
    unwrapped = _UNBRACKETED_CDATA.fullmatch(value) if value.startswith("![CDATA[") else None
    return unwrapped[1].strip() if unwrapped else value


def integer(value: str, _zone: tzinfo) -> int:
    """Return a count, an id or a raw code."""
    if value.isdecimal() and value.isascii() and len(value) < 19:
        return int(value)
    match = _INTEGER.fullmatch(value)
    if not match:
        raise ValueError("not an integer")
    return int(match[1])


def identifier(value: str, zone: tzinfo) -> int | None:
    """Return an id, or None for 0, which is how the platform says "none"."""
    return integer(value, zone) or None


def number(value: str, _zone: tzinfo) -> float:
    """Return an amount of credits."""
    if not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    return float(value)


def day(value: str, _zone: tzinfo) -> date | None:
    """Return a date, or None for the zero date; a time of day behind it is dropped."""
    if value.startswith("0000") and _ZERO_DATE.fullmatch(value):
        return None
    return _parse_time(value).date()


def local_time(value: str, zone: tzinfo) -> datetime | None:
    """Return an aware time from the platform's local text, or None for the zero date."""
    if value.startswith("0000") and _ZERO_DATE.fullmatch(value):
        return None
    time = _parse_time(value).replace(tzinfo=zone)
    return time if time.year >= _YEAR_OF_WHOLE_MINUTES else _with_whole_minutes(time)


def _with_whole_minutes(time: datetime) -> datetime:
    # Local mean time differed from UTC by seconds, too, which RFC 3339 cannot write.
    offset = time.utcoffset() or timedelta()
    return time.replace(tzinfo=timezone(timedelta(minutes=int(offset.total_seconds() / 60))))


def _parse_time(value: str) -> datetime:
    if _EXACT_TIME.fullmatch(value):
        return datetime.fromisoformat(value)
    match = _TIME.fullmatch(value)
    if not match:
        raise ValueError("not a date or time")
    return datetime(*map(int, match.groups(default="0")))  # type: ignore[arg-type]  # noqa: DTZ001


class Enumeration:
    """A converter of texts from a fixed set, which holds nothing but what the manual says.

    Args:
        find: returns what a text stands for, or None for one that is not documented; raises `ValueError` for one that
            cannot be read.
    """

    def __init__(self, find: Callable[[str, tzinfo], str | None]) -> None:
        self._find = find

    def __call__(self, value: str, zone: tzinfo) -> str:
        found = self._find(value, zone)
        if found is None:
            raise UnknownCode("not a documented code")
        return found

    def knows(self, value: str) -> bool:
        """Tell whether a text is one of the set."""
        try:
            return self._find(value, UTC) is not None
        except ValueError:
            return False


def code(words: Mapping[int, str]) -> Enumeration:
    """Return a converter from a documented integer code to its word."""
    return Enumeration(lambda value, zone: words.get(integer(value, zone)))


def word(words: Mapping[str, str] | Collection[str]) -> Enumeration:
    """Return a converter for an enumeration that the platform already writes as words, in any case."""
    table = words if isinstance(words, Mapping) else {each: each for each in words}
    return Enumeration(lambda value, _zone: table.get(value.lower()))
