"""Campaigns by several statuses and days, in another order: all that match, each once, on the page asked for."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.sandbox import Account, Fault, Sandbox
from tests.support.misbehaving import client_for, tenant_of
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

ACCOUNT = Account(username="acme", password="acme-password", role="customer", seeded=True)
STATUSES = ("sending", "sent", "held", "cancelled")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=[ACCOUNT]) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(platform: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app([tenant_of(ACCOUNT, platform.base_url)])
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(gateway: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """All campaigns, the newest first."""
    found: list[dict[str, Any]] = (await gateway.get("/v1/campaigns")).json()["data"]
    assert {each["status"] for each in found} >= {"sent", "held", "cancelled"}
    return found


async def test_several_statuses(gateway: httpx2.AsyncClient, everything: list[dict[str, Any]]) -> None:
    for wanted in (["sent", "held"], ["held", "sent", "waiting"], list(STATUSES)):
        page = (await gateway.get("/v1/campaigns", params={"statuses": ",".join(wanted)})).json()
        assert page["data"] == [each for each in everything if each["status"] in wanted]
        assert page["pagination"] == {"page": 1, "page_size": 50, "total": len(page["data"]), "has_more": False}
    one = (await gateway.get("/v1/campaigns?statuses=sent,sent")).json()
    assert one == (await gateway.get("/v1/campaigns?status=sent")).json()


async def test_pages_of_what_was_gathered(gateway: httpx2.AsyncClient, everything: list[dict[str, Any]]) -> None:
    url: str | None = "/v1/campaigns?statuses=sent,held,cancelled&page_size=2"
    seen: list[dict[str, Any]] = []
    while url:
        answer = await gateway.get(url)
        seen += answer.json()["data"]
        assert answer.json()["pagination"]["total"] == len(everything)
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == everything


async def test_days(gateway: httpx2.AsyncClient, platform: Sandbox, everything: list[dict[str, Any]]) -> None:
    def day_of(campaign: dict[str, Any]) -> date:
        return date.fromisoformat((campaign["started_at"] or campaign["scheduled_at"])[:10])

    last = max(day_of(each) for each in everything if each["started_at"])
    for days, statuses in ((1, None), (7, None), (31, None), (31, "sent,cancelled")):
        first = last - timedelta(days=days - 1)
        calls = len(platform.calls)
        params = {"date": first.isoformat(), "date_end": last.isoformat()} | (
            {"statuses": statuses} if statuses else {}
        )
        page = (await gateway.get("/v1/campaigns", params=params)).json()
        assert len(platform.calls) - calls == days
        assert page["data"] == [
            each
            for each in everything
            if first <= day_of(each) <= last and (statuses is None or each["status"] in statuses.split(","))
        ]
    assert len(page["data"]) > 1


async def test_orders(gateway: httpx2.AsyncClient, everything: list[dict[str, Any]]) -> None:
    for field in ("id", "scheduled_at", "started_at", "sent_count"):
        for down in (False, True):
            order = f"-{field}" if down else field
            found = (await gateway.get("/v1/campaigns", params={"sort": order})).json()["data"]
            known = [each[field] for each in found if each[field] is not None]
            assert known == sorted(known, reverse=down)
            assert [each[field] for each in found[len(known) :]] == [None] * (len(found) - len(known))
            assert sorted(each["id"] for each in found) == sorted(each["id"] for each in everything)


async def test_carries_parts_too(gateway: httpx2.AsyncClient) -> None:
    page = (await gateway.get("/v1/campaigns?statuses=sent,held&sort=-started_at&expand=statistics&page_size=2")).json()
    assert [each["expanded"]["statistics"]["batch"] for each in page["data"]] == [
        each["batch"] for each in page["data"]
    ]


async def test_one_call_that_fails_fails_the_answer(gateway: httpx2.AsyncClient, platform: Sandbox) -> None:
    platform.misbehave(Fault("status", operation="task-list", status=500))
    problem(await gateway.get("/v1/campaigns?statuses=sent,held,cancelled"), 502, "upstream_error")


async def test_refuses(gateway: httpx2.AsyncClient) -> None:
    for query, parameter in (
        ("statuses=sent,unknown", "statuses"),
        ("statuses=sent,", "statuses"),
        ("statuses=sent&status=held", "statuses"),
        ("sort=name", "sort"),
        ("date_end=2026-03-02", "date"),
        ("date=2026-03-02&date_end=2026-03-01", "date_end"),
        ("date=2026-03-01&date_end=2026-04-01", "date_end"),
    ):
        assert refused_fields(await gateway.get(f"/v1/campaigns?{query}")) == {parameter}, query


async def test_the_last_page_tells_how_many_there_are(
    gateway: httpx2.AsyncClient, everything: list[dict[str, Any]]
) -> None:
    count = len(everything)
    for page, size in ((1, count + 1), (2, count - 1)):
        found = (await gateway.get(f"/v1/campaigns?page={page}&page_size={size}")).json()["pagination"]
        assert (found["total"], found["has_more"]) == (count, False)
    for page, size in ((1, count - 1), (9, count)):
        assert (await gateway.get(f"/v1/campaigns?page={page}&page_size={size}")).json()["pagination"]["total"] is None


async def test_all_pages_are_read_and_not_without_end() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params["page"])
        ids = range(500 * (page - 1), min(500 * page, count))
        return xml_reply(f"<task_list>{''.join(f'<task><id>{each + 1}</id></task>' for each in ids)}</task_list>")

    for count in (1234, 5001):
        platform = FakePlatform([reply])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            answer = await client.get("/v1/campaigns?sort=id&page_size=500&page=3")
            if count > 5000:
                assert refused_fields(answer) == {"date"}
            else:
                assert [each["id"] for each in answer.json()["data"]] == list(range(1001, 1235))
                assert len(platform.requests) == 3


async def test_lists_and_templates_by_a_text(gateway: httpx2.AsyncClient) -> None:
    for path, fields in (("/v1/lists", ("name", "description")), ("/v1/templates", ("name", "subjects"))):
        all_of = (await gateway.get(path)).json()["data"]
        for text in ("news", "NEWS", "双十一", "customer", "'", "nothing of the kind"):
            found = (await gateway.get(path, params={"q": text})).json()["data"]
            wanted = [
                each
                for each in all_of
                if text.lower() in json.dumps([each[name] for name in fields], ensure_ascii=False).lower()
            ]
            assert found == wanted
        assert (await gateway.get(path, params={"q": ""})).json()["data"] == all_of


async def test_a_days_statistics_name_their_campaigns(
    gateway: httpx2.AsyncClient, platform: Sandbox, everything: list[dict[str, Any]]
) -> None:
    sent = [each for each in everything if each["status"] == "sent"]
    for campaign in sent:
        (found,) = (await gateway.get(f"/v1/statistics/campaigns?date={campaign['started_at'][:10]}")).json()["data"]
        assert found == (await gateway.get(f"/v1/campaigns/{campaign['id']}/statistics")).json()
        assert found["campaign_id"] == campaign["id"]
    platform.misbehave(Fault("status", operation="list-task", status=500))
    (found,) = (await gateway.get(f"/v1/statistics/campaigns?date={sent[0]['started_at'][:10]}")).json()["data"]
    assert (found["campaign_id"], found["batch"]) == (None, sent[0]["batch"])


async def test_statistics_of_several_days(
    gateway: httpx2.AsyncClient, platform: Sandbox, everything: list[dict[str, Any]]
) -> None:
    days = sorted(each["started_at"][:10] for each in everything if each["status"] == "sent")[1:]
    one_by_one = [(await gateway.get(f"/v1/statistics/campaigns?date={day}")).json()["data"] for day in days]
    query = f"date={days[0]}&date_end={days[-1]}"
    assert (await gateway.get(f"/v1/statistics/campaigns?{query}")).json()["data"] == [each for (each,) in one_by_one]
    platform.misbehave(Fault("status", operation="stask", status=500))
    problem(await gateway.get(f"/v1/statistics/campaigns?{query}"), 502, "upstream_error")
    assert refused_fields(await gateway.get(f"/v1/statistics/campaigns?date_end={days[0]}")) == {"date"}
    assert refused_fields(await gateway.get("/v1/statistics/campaigns?date=2026-03-01&date_end=2026-04-01")) == {
        "date_end"
    }
