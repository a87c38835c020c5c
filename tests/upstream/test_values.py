"""Converters: the declared type decides, never the look of a value."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.upstream import values

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("convert", "written", "expected"),
    [
        (values.text, "0755", "0755"),
        (values.text, "![CDATA[邮箱]]", "邮箱"),
        (values.text, "![CDATA[half", "![CDATA[half"),
        (values.integer, "007", 7),
        (values.integer, "-3", -3),
        (values.integer, "12.00", 12),
        (values.identifier, "0", None),
        (values.identifier, "8", 8),
        (values.number, "12.5", 12.5),
        (values.number, "3", 3.0),
        (values.day, "2026-03-02", date(2026, 3, 2)),
        (values.day, "2017-7-4", date(2017, 7, 4)),
        (values.day, "2026-03-02 10:11:12", date(2026, 3, 2)),
        (values.day, "0000-00-00", None),
        (values.local_time, "0000-00-00 00:00:00", None),
        (values.local_time, "2026-03-02 10:11:12", datetime(2026, 3, 2, 10, 11, 12, tzinfo=ZONE)),
        (values.local_time, "2017-7-4 16:08", datetime(2017, 7, 4, 16, 8, tzinfo=ZONE)),
        (values.local_time, "2017-7-4", datetime(2017, 7, 4, tzinfo=ZONE)),
    ],
)
def test_reads(convert: values.Convert, written: str, expected: object) -> None:
    assert convert(written, ZONE) == expected


@pytest.mark.parametrize(
    ("convert", "written"),
    [
        (values.integer, "1,234"),
        (values.integer, "12.5"),
        (values.integer, "1e3"),
        (values.integer, "١٢"),
        (values.integer, "9" * 30),
        (values.number, "nan"),
        (values.number, "inf"),
        (values.day, "2026-02-30"),
        (values.day, "02/03/2026"),
        (values.local_time, "2026-03-02T10:11:12Z"),
        (values.local_time, "yesterday"),
    ],
)
def test_refuses(convert: values.Convert, written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        convert(written, ZONE)


def test_codes_have_words_and_unknown_ones_are_told_apart_from_unreadable_ones() -> None:
    convert = values.code({1: "waiting", -1: "held"})
    assert convert("-1", ZONE) == "held"
    with pytest.raises(values.UnknownCode):
        convert("9", ZONE)
    with pytest.raises(ValueError, match="not a number") as caught:
        convert("soon", ZONE)
    assert not isinstance(caught.value, values.UnknownCode)


def test_words_are_read_in_any_case() -> None:
    assert values.word({"enabled"})("Enabled", ZONE) == "enabled"
    assert values.word({"all": "total"})("ALL", ZONE) == "total"
    with pytest.raises(values.UnknownCode):
        values.word({"enabled"})("frozen", ZONE)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - the platform writes no zone
def test_local_times_survive_the_way_to_utc_and_back(moment: datetime) -> None:
    written = moment.strftime("%Y-%m-%d %H:%M:%S")
    read = values.local_time(written, ZONE)
    assert read is not None
    assert read.strftime("%Y-%m-%d %H:%M:%S") == written
    assert read.astimezone(UTC) == moment.replace(microsecond=0, tzinfo=ZONE)


@given(st.from_regex(r"[0-9]{4}-[0-3][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9]", fullmatch=True))
def test_times_written_in_full_read_as_others_do(written: str) -> None:
    shorter = written.replace(" ", "T")
    assert _read(values.local_time, written) == _read(values.local_time, shorter)


@given(st.text("0123456789+-.٣², ", max_size=21))
def test_integers_are_read_by_their_form(written: str) -> None:
    form = re.fullmatch(r"([+-]?[0-9]{1,18})(\.0+)?", written)
    assert _read(values.integer, written) == (int(form[1]) if form else None)


def _read(convert: values.Convert, written: str) -> object:
    try:
        return convert(written, ZONE)
    except ValueError:
        return None
