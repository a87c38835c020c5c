"""Reading how long the other side asks to be left alone."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.policies.retry import parse_retry_after

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0000000000120", 120.0),
        ("86401", DAY),
        ("9" * 5000, DAY),
        ("Fri, 17 May 2024 12:00:30 GMT", 30.0),
        ("Friday, 17-May-24 12:00:30 GMT", 30.0),
        ("Fri May 17 12:00:30 2024", 30.0),
        ("Fri, 17 May 2024 12:00:30 -0000", 30.0),
        ("Fri, 17 May 2024 14:00:30 +0200", 30.0),
        ("Fri, 17 May 2024 11:59:59 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: float) -> None:
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "-5",
        "+5",
        "1.5",
        "1e3",
        "nan",
        "inf",
        "٣",
        "²",
        "soon",
        "120, 30",
        "0x10",
        "Fri, 99 May 2024 12:00:30 GMT",
        "Fri, 17 May 99999 12:00:30 GMT",
        "Fri, 17 May 2024 12:00:30 +99999999999999",
        "Fri, 17 May 2024 12:00:30 +9999",
        "Fri, 17 May 2024 99:99:99 GMT",
        "Fri, " + "9" * 5000 + " May 2024 12:00:30 GMT",
    ],
)
def test_rubbish_says_nothing(text: str | None) -> None:
    assert parse_retry_after(text, NOW) is None


@given(st.text() | st.from_regex(r"\A(Mon, )?[0-9:.\-+, ]{0,12}( May | Jan )?[0-9:.\-+ A-Z]{0,24}\Z"))
@example("1 Jan 1 00:00:00 +2359")
@example("31 Dec 9999 23:59:59 -2359")
@example("1 Jan 2024 00:00:00 +" + "9" * 400)
def test_nothing_is_raised_or_out_of_bounds(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0.0 <= seconds <= DAY


@given(st.integers(-3 * 86_400, 3 * 86_400))
def test_dates_and_seconds_agree(offset: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=offset), usegmt=True)
    assert parse_retry_after(text, NOW) == min(max(float(offset), 0.0), DAY)


@given(st.integers(0, 10**30))
def test_any_number_is_read(seconds: int) -> None:
    assert parse_retry_after(str(seconds), NOW) == min(float(seconds), DAY)
