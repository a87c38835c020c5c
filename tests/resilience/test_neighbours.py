"""One tenant's flood, and what the others notice of it."""

import asyncio

import httpx2

from app.sandbox import Account, Fault, Sandbox
from app.tenants.models import Limits
from tests.support.misbehaving import POLICIES, client_for, tenant_of
from tests.support.problems import problem
from tests.support.running import make_app
from tests.support.sockets import until

FLOOD, READS = 300, 10
FLOODER, NEIGHBOUR = (Account(name, "password", seeded=True) for name in ("flooder", "neighbour"))
CONCURRENCY, CONNECTIONS = 8, 10


async def test_a_flood_stands_in_its_own_queue() -> None:
    async with Sandbox([FLOODER, NEIGHBOUR]) as platform:
        limits = Limits(requests_per_minute=1_000_000, concurrency=CONCURRENCY)
        app = make_app(
            [tenant_of(each, platform.base_url, limits=limits) for each in (FLOODER, NEIGHBOUR)],
            **{
                **POLICIES,
                "upstream_connections": CONNECTIONS,
                "queue_length": FLOOD,
                "queue_wait": 30,
                "interactive_timeout": 60,
                "write_timeout": 60,
            },
        )
        async with (
            app.router.lifespan_context(app),
            client_for(app, "flooder") as flooder,
            client_for(app, "neighbour") as neighbour,
        ):
            platform.misbehave(Fault("latency", times=None, delay=0.02))
            flood = [asyncio.create_task(write(flooder, number)) for number in range(FLOOD)]
            await until(lambda: len(platform.calls) >= CONCURRENCY)
            for _ in range(READS):
                before = sum(each.done() for each in flood)
                assert (await neighbour.get("/v1/account")).status_code == 200
                assert sum(each.done() for each in flood) - before <= 4 * CONCURRENCY
            assert sum(each.done() for each in flood) < FLOOD
            assert {each.status_code for each in await asyncio.gather(*flood)} == {201}


async def test_a_tenant_that_has_no_slot_left_is_told_so_and_others_are_not_affected() -> None:
    limits = Limits(requests_per_minute=1_000_000, concurrency=2)
    async with Sandbox([FLOODER, NEIGHBOUR]) as platform:
        app = make_app(
            [tenant_of(each, platform.base_url, limits=limits) for each in (FLOODER, NEIGHBOUR)],
            **{**POLICIES, "queue_length": 3, "write_timeout": 30, "queue_wait": 30, "interactive_timeout": 30},
        )
        async with (
            app.router.lifespan_context(app),
            client_for(app, "flooder") as flooder,
            client_for(app, "neighbour") as neighbour,
        ):
            platform.misbehave(Fault("hang_before", operation="maillist-add", times=2, delay=0.5))
            flood = [asyncio.create_task(write(flooder, number)) for number in range(20)]
            await until(lambda: sum(each.done() for each in flood) == 15)
            refused = [each.result() for each in flood if each.done()]
            assert (await neighbour.get("/v1/account")).status_code == 200
            others = [each.status_code for each in await asyncio.gather(*flood)]
        for response in refused:
            assert "Retry-After" in response.headers
            assert "Nothing was sent" in problem(response, 429, "rate_limited")["detail"]
        assert sorted(others) == [201] * 3 + [429] * 15 + [504] * 2
        assert sum(call.operation == "maillist-add" for call in platform.calls) == 5


async def write(client: httpx2.AsyncClient, number: int) -> httpx2.Response:
    return await client.post("/v1/lists", json={"name": f"List {number}"})
