"""The platform's clock: the time of a call that leaves now is never past where it arrives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.gateway.clock import PlatformClock

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 3, 1, 4, 0, 0, 900_000, tzinfo=UTC)
PLATFORM = "http://platform.example/"


@pytest.mark.parametrize(
    ("date", "soon"),
    [
        (None, "12:00:06"),
        ("no date", "12:00:06"),
        ("Sun, 01 Mar 2026 04:00:00 GMT", "12:00:06"),
        ("Sun, 01 Mar 2026 04:10:00 GMT", "12:10:06"),
        ("Sun, 01 Mar 2026 03:50:00 GMT", "11:50:06"),
        ("Tue, 03 Mar 2026 04:00:00 GMT", "12:00:06"),
    ],
)
def test_goes_by_the_date_of_answers(date: str | None, soon: str) -> None:
    clock = PlatformClock(CHINA, lambda: NOW)
    clock.heard(PLATFORM, date)
    assert clock.soon(PLATFORM).strftime("%H:%M:%S") == soon
    assert clock.soon("http://another.example/").strftime("%H:%M:%S") == "12:00:06"
