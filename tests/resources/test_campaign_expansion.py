"""`expand`: a page of campaigns with their statistics and tracking in one request."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from app.sandbox import Account, Fault, Sandbox
from app.sandbox.models import Campaign
from tests.support.misbehaving import client_for, tenant_of
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

ACCOUNT = Account(username="acme", password="acme-password", role="customer", seeded=True)
BOTH = "/v1/campaigns?expand=statistics,tracking"

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


def started(platform: Sandbox) -> list[Campaign]:
    return [each for each in platform.state("acme").campaigns.values() if each.started]


async def test_parts_are_what_their_own_resources_answer(gateway: httpx2.AsyncClient, platform: Sandbox) -> None:
    plain = (await gateway.get("/v1/campaigns")).json()
    page = (await gateway.get(BOTH)).json()
    assert (page["pagination"], page["expansion_errors"]) == (plain["pagination"], [])
    expanded = {each["id"]: each.pop("expanded") for each in page["data"]}
    assert page["data"] == plain["data"]
    assert set(expanded) > {each.id for each in started(platform)}
    for campaign_id, parts in expanded.items():
        for name, part in parts.items():
            own = await gateway.get(f"/v1/campaigns/{campaign_id}/{name}")
            assert (own.json() if own.status_code == 200 else None) == part
    single = (await gateway.get(f"/v1/campaigns/{plain['data'][-1]['id']}?expand=tracking")).json()
    assert single["expanded"] == {"tracking": expanded[single["id"]]["tracking"]}


async def test_statistics_and_tracking_say_alike_that_nothing_was_sent(
    gateway: httpx2.AsyncClient, platform: Sandbox
) -> None:
    unsent = [each for each in platform.state("acme").campaigns.values() if not each.started]
    assert len(unsent) > 1
    for campaign in unsent:
        for part in ("statistics", "tracking"):
            problem(await gateway.get(f"/v1/campaigns/{campaign.id}/{part}"), 404, "not_found")
        found = (await gateway.get(f"/v1/campaigns/{campaign.id}?expand=statistics,tracking")).json()
        assert (found["expanded"], found["expansion_errors"]) == ({"statistics": None, "tracking": None}, [])


async def test_a_part_that_fails_is_null_and_named(gateway: httpx2.AsyncClient, platform: Sandbox) -> None:
    whole = {each["id"]: each["expanded"] for each in (await gateway.get(BOTH)).json()["data"]}
    platform.misbehave(Fault("status", operation="overview", status=500))
    page = (await gateway.get(BOTH)).json()
    (error,) = page["expansion_errors"]
    assert (error["part"], error["code"]) == ("tracking", "upstream_error")
    whole[error["campaign_id"]]["tracking"] = None
    assert {each["id"]: each["expanded"] for each in page["data"]} == whole
    platform.misbehave(Fault("status", operation="task-list", status=500))
    problem(await gateway.get(BOTH), 502, "upstream_error")


async def test_refuses(gateway: httpx2.AsyncClient) -> None:
    for query in ("expand=", "expand=report", "expand=tracking,", "expand=tracking&expand=statistics"):
        assert refused_fields(await gateway.get(f"/v1/campaigns?{query}")) == {"expand"}
    assert refused_fields(await gateway.get(f"{BOTH}&page_size=51")) == {"page_size"}
    problem(await gateway.get("/v1/campaigns/4711?expand=tracking"), 404, "not_found")


async def test_is_cached_part_by_part(platform: Sandbox) -> None:
    app = make_app([tenant_of(ACCOUNT, platform.base_url)], cache_lifetimes={})
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        first = await client.get(BOTH)
        calls = len(platform.calls)
        again = await client.get(BOTH)
        unchanged = await client.get(BOTH, headers={"If-None-Match": first.headers["etag"]})
        assert (await client.get(f"/v1/campaigns/{started(platform)[0].id}/tracking")).status_code == 200
        assert len(platform.calls) == calls
    assert (again.content, unchanged.status_code) == (first.content, 304)
    assert "fwd=" in first.headers["cache-status"]
    assert "hit" in again.headers["cache-status"]
    assert again.headers["link"] == first.headers["link"]


async def test_every_call_it_causes_counts_as_a_request(platform: Sandbox) -> None:
    limits = {"requests_per_minute": 20, "concurrency": 100}
    app = make_app([tenant_of(ACCOUNT, platform.base_url, limits=limits)], cache_lifetimes={})
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        calls = len(platform.calls)
        left = (await client.get(BOTH)).headers["ratelimit"]
        caused = len(platform.calls) - calls
        assert left.startswith(f'"tenant";r={20 - caused};')
        # What is cached costs the request alone.
        assert (await client.get(BOTH)).headers["ratelimit"].startswith(f'"tenant";r={19 - caused};')
    limits = {"requests_per_minute": 4, "concurrency": 100}
    app = make_app([tenant_of(ACCOUNT, platform.base_url, limits=limits)])
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        page = (await client.get(BOTH)).json()
        assert {each["code"] for each in page["expansion_errors"]} == {"rate_limited"}
        assert len(page["expansion_errors"]) == caused - 1 - 3
        problem(await client.get("/v1/campaigns"), 429, "rate_limited")


def listing(count: int) -> str:
    return "".join(
        f"<task><id>{number}</id><send_status>3</send_status><time_start>2026-03-02 09:30:00</time_start></task>"
        for number in range(1, count + 1)
    )


class SlowPlatform(FakePlatform):
    """Answers parts once as many are asked for as may be at once; tells how many that were."""

    def __init__(self, slots: int) -> None:
        super().__init__([])
        self._slots = slots
        self._full = asyncio.Event()
        self.under_way = self.most = 0

    async def answer_slowly(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        query = dict(request.url.params)
        if query.get("do") == "task-list":
            return xml_reply(f"<task_list>{listing(20)}</task_list>")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        if self.under_way == self._slots:
            self._full.set()
        await self._full.wait()
        self.under_way -= 1
        if "do" in query:
            return xml_reply(f"<track><track_id>7</track_id><send_id>{query['id']}</send_id></track>")
        return xml_reply(f"<data><task><task_id>8</task_id><total>{query['id']}</total></task></data>")


async def test_parts_are_read_side_by_side_within_the_tenants_slots() -> None:
    slots = 20
    platform = SlowPlatform(slots)
    tenant = make_tenant(limits={"requests_per_minute": 1000, "concurrency": slots})
    app = make_app([tenant], httpx2.MockTransport(platform.answer_slowly))
    async with client_of(app) as client:
        page = (await client.get(BOTH)).json()
    assert page["expansion_errors"] == []
    assert all(each["expanded"]["statistics"]["sent_count"] == each["id"] for each in page["data"])
    assert (len(platform.requests), platform.most) == (41, slots)


async def test_another_campaigns_statistics_are_not_passed_off_as_this_ones() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("stask.php"):
            return xml_reply("<data><task><task_id>8</task_id><task_ident>2-2</task_ident></task></data>")
        if request.url.params.get("do") == "task-list":
            return xml_reply("<task_list><task><id>1</id><sn>1-1</sn><send_status>3</send_status></task></task_list>")
        return xml_reply("<track/>" if request.url.params.get("do") == "overview" else "<data/>")

    async with client_of(make_app([make_tenant()], FakePlatform([reply]).transport)) as client:
        page = (await client.get("/v1/campaigns/1?expand=statistics,tracking")).json()
        assert page["expanded"] == {"statistics": None, "tracking": None}
        assert page["expansion_errors"] == [{"campaign_id": 1, "part": "statistics", "code": "upstream_malformed"}]
        report = (await client.get("/v1/campaigns/1/report")).json()
        assert {"part": "statistics", "code": "upstream_malformed"} in report["errors"]
        assert report["delivery"]["delivered"] is None
