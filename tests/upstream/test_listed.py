"""Models that are made only where somebody looks: the same models, and the same JSON as theirs."""

from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from app.gateway.pages import Collection, Page, Pagination
from app.upstream.listed import Listed, to_json
from app.upstream.values import local_time


class Part(BaseModel):
    name: str | None


class Whole(BaseModel):
    id: int
    text: str | None
    amount: float | None
    is_so: bool | None
    day: date | None
    at: datetime | None
    words: dict[str, str]
    parts: list[Part]


ZONES = [UTC, *map(ZoneInfo, ["Asia/Shanghai", "Europe/London", "America/St_Johns", "Africa/Monrovia", "Etc/GMT+12"])]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
rows = st.fixed_dictionaries(
    {
        "id": st.integers(-(10**18), 10**18),
        "text": st.none() | texts,
        "amount": st.none() | st.floats(-1e18, 1e18, allow_nan=False),
        "is_so": st.none() | st.booleans(),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(datetime(1973, 1, 1), timezones=st.sampled_from(ZONES)),  # noqa: DTZ001 - the zone is drawn
        "words": st.dictionaries(texts, texts, max_size=2),
        "parts": st.lists(st.fixed_dictionaries({"name": st.none() | texts}), max_size=2),
    }
)


def as_models(found: list[dict[str, Any]]) -> list[Whole]:
    return [Whole(**row) for row in found]


@given(st.lists(rows, max_size=3))
def test_json_is_that_of_the_models(found: list[dict[str, Any]]) -> None:
    in_order = [{name: row[name] for name in Whole.model_fields} for row in found]
    listed = Page[Whole](data=Listed(Whole, in_order), pagination=_pagination())
    assert to_json(listed) == listed.model_dump_json().encode() == _page(as_models(found)).model_dump_json().encode()


def _pagination() -> Pagination:
    return Pagination(page=1, page_size=2, total=None, has_more=False)


def _page(models: list[Whole]) -> Page[Whole]:
    return Page[Whole](data=models, pagination=_pagination())


ROW: dict[str, Any] = {
    "id": 1,
    "text": "x",
    "amount": 1.0,
    "is_so": True,
    "day": date(2026, 3, 1),
    "at": None,
    "words": {},
    "parts": [{"name": "a"}],
}


class TestListed:
    def test_is_a_sequence_of_models(self) -> None:
        listed = Listed(Whole, [ROW, {**ROW, "id": 2}, {**ROW, "id": 3}])
        assert len(listed) == 3
        assert listed[1] == Whole(**{**ROW, "id": 2})
        assert listed[0].parts == [Part(name="a")]
        assert [each.id for each in listed] == [1, 2, 3]
        assert [each.id for each in listed[1:]] == [2, 3]
        assert [each.id for each in reversed(listed)] == [3, 2, 1]

    def test_stays_so_in_a_collection(self) -> None:
        listed = Listed(Whole, [ROW])
        collection = Collection[Whole](data=listed)
        assert collection.data is listed
        assert collection.model_dump()["data"] == [ROW]

    def test_other_models_are_checked(self) -> None:
        with pytest.raises(ValueError, match="valid dictionary or instance"):
            Collection[Whole](data=["x"])  # type: ignore[list-item]

    @pytest.mark.parametrize("zone", ZONES, ids=str)
    @pytest.mark.parametrize("year", [1, 1850, 1900, 1971, 1972, 1973, 9999])
    def test_old_times(self, zone: tzinfo, year: int) -> None:
        page = Collection[Whole](data=Listed(Whole, [{**ROW, "at": local_time(f"{year:04}-01-02 00:00:00", zone)}]))
        assert to_json(page) == page.model_dump_json().encode()


def test_what_is_no_list_is_written_by_its_model() -> None:
    assert to_json(Part(name="中")) == '{"name":"中"}'.encode()
    assert to_json(Collection[Part](data=[Part(name="x")])) == b'{"data":[{"name":"x"}]}'
