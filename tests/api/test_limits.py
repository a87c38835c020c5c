"""Limits over HTTP: how they are told, what exceeds them, and whose they are."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from app.tenants.models import ApiKey, Limits, Scope
from app.tenants.store import hash_key
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant

LISTS = xml_reply("<maillist></maillist>")
CREATED = "<result><status>success</status><id>5</id></result>"
CAMPAIGN = {
    "template_ids": [16],
    "list_id": 78,
    "sender": {"type": "any"},
    "from_name": "News",
    "schedule": {"mode": "hold"},
}


class TestRequests:
    async def test_are_counted_and_told(self) -> None:
        tenant = make_tenant(limits=Limits(requests_per_minute=2))
        async with client_of(make_app([tenant], FakePlatform([LISTS]).transport)) as client:
            first = await client.get("/v1/lists")
            await client.get("/v1/lists")
            third = await client.get("/v1/lists")
        assert first.headers["ratelimit-policy"] == '"tenant";q=2;w=60'
        assert first.headers["ratelimit"].startswith('"tenant";r=1;t=')
        body = problem(third, 429, "rate_limited")
        assert body["detail"] == "This tenant has used up its limit of 2 requests a minute."
        assert 1 <= int(third.headers["retry-after"]) <= 60
        assert third.headers["ratelimit"].startswith('"tenant";r=0;t=')

    async def test_of_one_key_leave_the_others_theirs(self) -> None:
        key = ApiKey(id="small", sha256=hash_key("umg_small"), scopes=frozenset(Scope), requests_per_minute=1)
        other = ApiKey(id="other", sha256=hash_key(KEY), scopes=frozenset(Scope))
        async with client_of(make_app([make_tenant(keys=(key, other))], FakePlatform([LISTS]).transport)) as client:
            headers = {"Authorization": "Bearer umg_small"}
            first = await client.get("/v1/lists", headers=headers)
            body = problem(await client.get("/v1/lists", headers=headers), 429, "rate_limited")
            assert (await client.get("/v1/lists")).status_code == 200
        assert '"key";q=1;w=60' in first.headers["ratelimit-policy"]
        assert body["detail"] == "This key has used up its limit of 1 requests a minute."

    async def test_of_one_tenant_leave_the_others_theirs(self) -> None:
        tenants = [make_tenant(limits=Limits(requests_per_minute=1)), make_tenant(tenant_id="rival", suffix="rival")]
        async with client_of(make_app(tenants, FakePlatform([LISTS]).transport)) as client:
            await client.get("/v1/lists")
            problem(await client.get("/v1/lists"), 429, "rate_limited")
            assert (await client.get("/v1/lists", headers={"Authorization": f"Bearer {KEY}rival"})).status_code == 200

    async def test_refused_keys_count_for_nobody(self) -> None:
        async with client_of(make_app([make_tenant()]), key="umg_wrong") as client:
            assert "ratelimit" not in (await client.get("/v1/lists")).headers


class TestCampaigns:
    @pytest.mark.parametrize(("limit", "code"), [(1, "rate_limited"), (100, "upstream_quota_exhausted")])
    async def test_of_an_hour(self, limit: int, code: str) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            listing = request.method == "GET"
            return xml_reply(
                "<task_list></task_list>" if listing else "<result><status>success</status><id>5</id></result>"
            )

        platform = FakePlatform([answer])
        tenant = make_tenant(limits=Limits(campaigns_per_hour=limit, requests_per_minute=1000))
        async with client_of(make_app([tenant], platform.transport)) as client:
            for _ in range(limit):
                assert (await client.post("/v1/campaigns", json=CAMPAIGN)).status_code == 201
            response = await client.post("/v1/campaigns", json=CAMPAIGN)
        problem(response, 429, code)
        assert 3500 < int(response.headers["retry-after"]) <= 3600
        assert sum(request.method == "POST" for request in platform.requests) == limit

    async def test_one_that_never_left_counts_for_nothing(self) -> None:
        replies: Iterator[httpx2.Response | Exception] = iter(
            [httpx2.ConnectError("refused"), xml_reply("<result><status>success</status><id>5</id></result>")]
        )

        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method == "GET":
                return xml_reply("<task_list></task_list>")
            reply = next(replies)
            if isinstance(reply, Exception):
                raise reply
            return reply

        tenant = make_tenant(limits=Limits(campaigns_per_hour=1))
        async with client_of(make_app([tenant], FakePlatform([answer]).transport)) as client:
            problem(await client.post("/v1/campaigns", json=CAMPAIGN), 503, "upstream_unavailable")
            assert (await client.post("/v1/campaigns", json=CAMPAIGN)).status_code == 201
            problem(await client.post("/v1/campaigns", json=CAMPAIGN), 429, "rate_limited")


class Gate(httpx2.AsyncBaseTransport):
    """A platform that answers when it is told to."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.arrived = asyncio.Semaphore(0)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.arrived.release()
        await self.opened.wait()
        return LISTS


class TestAtOnce:
    async def test_a_tenants_calls(self) -> None:
        gate = Gate()
        tenant = make_tenant(limits=Limits(concurrency=1, requests_per_minute=1000))
        async with client_of(make_app([tenant], gate, queue_length=0)) as client:
            first = asyncio.create_task(client.get("/v1/lists"))
            await gate.arrived.acquire()
            response = await client.get("/v1/domains")
            problem(response, 429, "rate_limited")
            assert response.headers["retry-after"] == "1"
            gate.opened.set()
            assert (await first).status_code == 200

    async def test_the_platforms_calls(self) -> None:
        gate = Gate()
        async with client_of(make_app([make_tenant()], gate, queue_length=0, upstream_connections=1)) as client:
            first = asyncio.create_task(client.get("/v1/lists"))
            await gate.arrived.acquire()
            problem(await client.get("/v1/domains"), 503, "overloaded")
            gate.opened.set()
            assert (await first).status_code == 200

    async def test_the_processs_requests(self) -> None:
        gate = Gate()
        async with client_of(make_app([make_tenant()], gate, max_requests=1)) as client:
            first = asyncio.create_task(client.get("/v1/lists"))
            await gate.arrived.acquire()
            response = await client.get("/v1/domains")
            problem(response, 503, "overloaded")
            assert response.headers["retry-after"] == "1"
            assert (await client.get("/healthz")).status_code == 200
            gate.opened.set()
            assert (await first).status_code == 200


class TestLogins:
    async def test_that_keep_being_refused_are_not_tried(self) -> None:
        platform = FakePlatform([xml_reply("", status=401)])
        tenants = [make_tenant(), make_tenant(tenant_id="rival", suffix="rival")]
        async with client_of(make_app(tenants, platform.transport, login_refusals=2)) as client:
            for _ in range(2):
                problem(await client.get("/v1/lists"), 502, "upstream_credentials_rejected")
            response = await client.get("/v1/lists")
            body = problem(response, 502, "upstream_credentials_rejected")
            assert "not asked for a while" in body["detail"]
            assert 1 <= int(response.headers["retry-after"]) <= 60
            assert len(platform.requests) == 2
            await client.get("/v1/lists", headers={"Authorization": f"Bearer {KEY}rival"})
        assert len(platform.requests) == 3
