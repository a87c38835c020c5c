"""Time in headers."""

import asyncio

import httpx2
import pytest

from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import read_request, serving
from tests.support.tenants import make_tenant

LISTS = xml_reply("<maillist></maillist>")


class Silent(httpx2.AsyncBaseTransport):
    """A platform that never answers."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody answers")


class TestRequestTimeout:
    @pytest.mark.parametrize("value", ["0", "-1", "x", "1e3", "", "0.0000", "1234567"])
    async def test_nonsense_is_refused(self, offline: httpx2.AsyncClient, value: str) -> None:
        problem(await offline.get("/v1/lists", headers={"Request-Timeout": value}), 400, "malformed_request")

    @pytest.mark.parametrize("lifetimes", [{}, {"*": 0}])
    async def test_ends_a_read(self, lifetimes: dict[str, float]) -> None:
        async with client_of(make_app([make_tenant()], Silent(), cache_lifetimes=lifetimes)) as client:
            response = await client.get("/v1/lists", headers={"Request-Timeout": "0.05"})
            problem(response, 504, "upstream_timeout")

    async def test_of_one_reader_is_not_that_of_others(self) -> None:
        arrived, opened = asyncio.Event(), asyncio.Event()

        class Slow(httpx2.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                arrived.set()
                await opened.wait()
                return LISTS

        async with client_of(make_app([make_tenant()], Slow(), cache_lifetimes={})) as client:
            hurried = asyncio.create_task(client.get("/v1/lists", headers={"Request-Timeout": "1"}))
            await arrived.wait()
            patient = asyncio.create_task(client.get("/v1/lists"))
            problem(await hurried, 504, "upstream_timeout")
            opened.set()
            assert (await patient).headers["cache-status"].startswith("umail-gateway; fwd=uri-miss; collapsed")

    async def test_impatience_does_not_close_the_platform_to_others(self) -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            while True:
                await read_request(reader)

        async with serving(silent) as url:
            app = make_app([make_tenant(base_url=url)], breaker_minimum_calls=1)
            async with client_of(app) as client:
                for _ in range(3):
                    response = await client.delete("/v1/lists/1", headers={"Request-Timeout": "0.5"})
                    problem(response, 504, "outcome_unknown")


class TestServerTiming:
    async def test_shows_every_try(self) -> None:
        platform = FakePlatform([httpx2.ConnectError("refused"), LISTS])
        app = make_app([make_tenant()], platform.transport, retry_attempts=2, retry_base=0.001)
        async with client_of(app) as client:
            response = await client.get("/v1/lists")
            metrics = (await client.get("/metrics")).text
        first, second, total = response.headers["server-timing"].split(", ")
        assert 'desc="lists.list upstream_unavailable try 1"' in first
        assert 'desc="lists.list ok try 2"' in second
        assert total.startswith("total;dur=")
        assert 'umail_gateway_upstream_retries_total{operation="lists.list"} 1.0' in metrics
