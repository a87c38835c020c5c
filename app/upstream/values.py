"""Converters from the platform's text to typed values.

A converter takes the stripped text of an element that is not empty, and the platform's time zone. It raises
`ValueError` for a text it cannot read, which becomes null and drift, and `Repaired` with the value for one in a form
that the manual does not know. Which converter reads an element is declared: nothing is guessed from how a value looks.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

Convert = Callable[[str, tzinfo], Any]

_INTEGER = re.compile(r"([+-]?[0-9]{1,18})(?:\.0+)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?")
# With separators of thousands, or as PHP prints floating-point numbers.
_LOOSE_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{0,18})(?:\.[0-9]{0,18})?(?:[eE][+-]?[0-9]{1,2})?")
_LARGEST = 10**18
_EXACT = 2**53
_ZERO = re.compile(r"0000[-/]00[-/]00(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_EPOCH = re.compile(r"1970[-/]0?1[-/]0?1[ T]0?8:00(?::00)?(?:\.0+)?")
"""What PHP makes of no time at all, in the platform's zone."""
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?", re.ASCII)
_FRACTION = re.compile(r"(?<=:[0-9]{2})\.[0-9]{1,9}\Z")
_EXACT_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}")
_YEAR_OF_WHOLE_MINUTES = 1973
_UNBRACKETED_CDATA = re.compile(r"<?!\[CDATA\[(.*)\]\]>?", re.DOTALL | re.IGNORECASE)


class UnknownCode(ValueError):
    """A code that is well-formed but not documented."""


class Repaired(ValueError):
    """A value that could be read, though it is not written as it should be."""

    def __init__(self, value: Any) -> None:
        super().__init__("an unusual form")
        self.value = value


def text(value: str, _zone: tzinfo) -> str:
    """Return the text; a CDATA section that lost its angle brackets (manual 4.8) is unwrapped."""
    unwrapped = _UNBRACKETED_CDATA.fullmatch(value) if value.startswith(("![", "<![")) else None
    return unwrapped[1].strip() if unwrapped else value


def integer(value: str, _zone: tzinfo) -> int:
    """Return a count, an id or a raw code."""
    if value.isdecimal() and value.isascii() and len(value) < 19:
        return int(value)
    match = _INTEGER.fullmatch(value)
    if match:
        return int(match[1])
    match = _INTEGER.fullmatch(_without_separators(value))
    if match:
        raise Repaired(int(match[1]))
    loose = float(_without_separators(value))
    if not loose.is_integer() or abs(loose) > _EXACT:
        raise ValueError("not an integer")
    raise Repaired(int(loose))


def identifier(value: str, zone: tzinfo) -> int | None:
    """Return an id, or None for 0, which is how the platform says "none"."""
    return integer(value, zone) or None


def number(value: str, _zone: tzinfo) -> float:
    """Return an amount of credits."""
    if _NUMBER.fullmatch(value):
        return float(value)
    loose = float(_without_separators(value))
    if abs(loose) >= _LARGEST:
        raise ValueError("not a number that is meant")
    raise Repaired(loose)


def _without_separators(value: str) -> str:
    if not _LOOSE_NUMBER.fullmatch(value):
        raise ValueError("not a number")
    return value.replace(",", "")


def in_units(convert: Convert, *units: str) -> Convert:
    """Return a converter of numbers behind which one of the field's own units may stand."""

    def read(value: str, zone: tzinfo) -> Any:
        for unit in units:
            if value.lower().endswith(unit.lower()):
                raise Repaired(value_of(convert, value[: -len(unit)].strip(), zone))
        return convert(value, zone)

    return read


def value_of(convert: Convert, value: str, zone: tzinfo) -> Any:
    """Return what a text says, repaired or not."""
    try:
        return convert(value, zone)
    except Repaired as repaired:
        return repaired.value


def day(value: str, _zone: tzinfo) -> date | None:
    """Return a date, or None for the zero date; a time of day behind it is dropped."""
    if value.startswith("0000") and _ZERO.fullmatch(value):
        return None
    if value.startswith("1970") and _EPOCH.fullmatch(value):
        raise Repaired(None)
    found, is_usual = _parse_time(value)
    if not is_usual:
        raise Repaired(found.date())
    return found.date()


def local_time(value: str, zone: tzinfo) -> datetime | None:
    """Return an aware time from the platform's local text, or None for the zero date."""
    if value.startswith("0000") and _ZERO.fullmatch(value):
        return None
    if value.startswith("1970") and _EPOCH.fullmatch(value):
        raise Repaired(None)
    found, is_usual = _parse_time(value)
    time = found.replace(tzinfo=zone)
    if time.year < _YEAR_OF_WHOLE_MINUTES:
        time = _with_whole_minutes(time)
    if not is_usual:
        raise Repaired(time)
    return time


def _with_whole_minutes(time: datetime) -> datetime:
    # Local mean time differed from UTC by seconds, too, which RFC 3339 cannot write.
    offset = time.utcoffset() or timedelta()
    return time.replace(tzinfo=timezone(timedelta(minutes=int(offset.total_seconds() / 60))))


def _parse_time(value: str) -> tuple[datetime, bool]:
    """Return the time, and whether it is written as the manual writes times."""
    if _EXACT_TIME.fullmatch(value):
        return datetime.fromisoformat(value), True
    usual = _FRACTION.sub("", value)
    if usual[4:5] == "/":
        usual = usual.replace("/", "-", 2)
    match = _TIME.fullmatch(usual)
    if not match:
        raise ValueError("not a date or time")
    return datetime(*map(int, match.groups(default="0"))), usual == value  # type: ignore[arg-type]  # noqa: DTZ001


class Enumeration:
    """A converter of texts from a fixed set: `find` returns what a text stands for, None for one not documented."""

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
    return Enumeration(lambda value, zone: words.get(value_of(integer, value, zone)))


def word(words: Mapping[str, str] | Collection[str]) -> Enumeration:
    """Return a converter for an enumeration that the platform already writes as words, in any case."""
    table = words if isinstance(words, Mapping) else {each: each for each in words}
    return Enumeration(lambda value, _zone: table.get(value.lower()))
