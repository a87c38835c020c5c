"""Counting an export as it comes gives what counting all of it at once gives."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamMalformed
from app.resources.reports.operations import OpensCounter

OPENS = st.fixed_dictionaries(
    {
        "total_opens": st.none() | st.integers(0, 9),
        "total_clicks": st.none() | st.integers(0, 9),
        "device": st.sampled_from([None, "pc", "mobile"]),
        "browser": st.none() | st.integers(0, 14).map(str),
        "os": st.none(),
        "first_location": st.none() | st.fixed_dictionaries({"country": st.sampled_from([None, "中国"])}),
        "first_open_at": st.none()
        | st.integers(0, 90).map(lambda hours: f"2026-03-0{2 + hours // 24}T{hours % 24:02}:31:05+08:00"),
        "first_click_at": st.none() | st.just("2026-03-04T00:00:00+08:00"),
    }
)


@given(st.lists(OPENS, max_size=60), st.integers(1, 20))
def test_counts_are_those_of_a_straightforward_count(rows: list[dict[str, Any]], batch: int) -> None:
    counter = OpensCounter()
    for start in range(0, len(rows), batch):
        counter.add(rows[start : start + batch])
    counts = counter.result()
    browsers = Counter(row["browser"] for row in rows)
    shown = {row.name: row.recipients for row in counts.browsers.top}
    assert len(shown) == min(10, len(browsers))
    assert all(browsers[name] == count for name, count in shown.items())
    assert min(shown.values(), default=0) >= max((n for name, n in browsers.items() if name not in shown), default=0)
    assert sum(shown.values()) + counts.browsers.other == len(rows) == counts.unique_opens
    assert counts.total_opens == sum(row["total_opens"] or 0 for row in rows)
    assert sum(point.first_opens for point in counts.hours) == sum(bool(row["first_open_at"]) for row in rows)
    assert sum(point.first_clicks for point in counts.hours) == sum(bool(row["first_click_at"]) for row in rows)
    assert [point.at for point in counts.hours] == sorted(point.at for point in counts.hours)


def row(**values: Any) -> dict[str, Any]:
    names = ("total_opens", "total_clicks", "device", "browser", "os", "first_location")
    return {**dict.fromkeys((*names, "first_open_at", "first_click_at")), **values}


def test_names_without_end_are_held_in_bounded_space() -> None:
    counter = OpensCounter()
    for batch in range(100):
        counter.add([row(browser=f"{batch}-{each}"[:100]) for each in range(500)] + [row(browser="Safari")] * 3)
    browsers = counter.result().browsers
    assert (browsers.top[0].name, browsers.top[0].recipients) == ("Safari", 300)
    assert sum(each.recipients for each in browsers.top) + browsers.other == 100 * 503


def test_opens_in_more_hours_than_can_be_are_refused() -> None:
    counter = OpensCounter()
    years = [row(first_open_at=f"{year}-01-0{day}T05:00:00+08:00") for year in range(1000, 9999) for day in (1, 2, 3)]
    with pytest.raises(UpstreamMalformed):
        counter.add(years)
