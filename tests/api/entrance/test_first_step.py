"""Answers that are at hand: the same bytes, whether the protocol gives them, the entrance, or what is behind it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.telemetry.logs import configure_logging
from app.tenants.keys import hash_key
from app.tenants.models import ApiKey, Limits, Scope
from tests.support.platform import xml_reply
from tests.support.running import make_app
from tests.support.sockets import until
from tests.support.tenants import KEY, READ_KEY, make_tenant
from tests.support.ways import Asked, Way, Ways, all_ways, answers, one_by_one, protocol

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTS = "<maillist><item><id>1</id><subject>新闻</subject><status>enabled</status></item></maillist>"
ACCOUNT = "<customer><id>1</id><username>acme</username></customer>"
NEW = "Cache-Control: no-store"
SLOW = "GET /v1/account HTTP/1.1"
LAST = "Connection: close"


def ask(*headers: str, line: str = "GET /v1/lists HTTP/1.1", key: str | None = KEY, body: str = "") -> bytes:
    with_key = [f"X-API-Key: {key}"] if key is not None else []
    return ("\r\n".join([line, "Host: x", *with_key, *headers, "", ""]) + body).encode()


END = ask(LAST)
"""A request after which the server closes."""


class Platform:
    """Answers at once, but for the account when it is told to wait."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if b"customer" not in request.url.raw_path:
            return xml_reply(LISTS)
        self.asked.set()
        await self.go_on.wait()
        return xml_reply(ACCOUNT)


def gateway(platform: Platform, **settings: Any) -> FastAPI:
    tenants = [
        make_tenant(),
        make_tenant(tenant_id="gone", suffix="gone", enabled=False),
        make_tenant(tenant_id="small", suffix="small", limits=Limits(requests_per_minute=200, concurrency=10)),
    ]
    transport = httpx2.MockTransport(platform.answer)
    return make_app(tenants, transport, **{"cache_lifetimes": {"*": 3600}, **settings})


@pytest.fixture(scope="module")
def platform() -> Platform:
    return Platform()


@pytest.fixture(scope="module")
def app(platform: Platform) -> FastAPI:
    return gateway(platform)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ways(app: FastAPI) -> AsyncIterator[Ways]:
    async with all_ways(app) as ways:
        await answers(ways.long.port, END)
        yield ways


async def at_hand(way: Way, request: bytes) -> list[bytes]:
    """Ask until the application is not asked for it; the limiter counts ahead for callers who ask often."""
    for _ in range(50):
        before = way.asked.times
        # The last request of a connection is never answered in the first step.
        found = await answers(way.port, request + END)
        if way.asked.times == before + 1:
            return found
    raise AssertionError("the application is asked every time")


async def slowly(way: Way, platform: Platform, requests: bytes, server: uvicorn.Server | None = None) -> list[bytes]:
    """Send requests one of which waits for the platform, let that answer, and return the answers.

    A server that is given begins to end while the platform is being waited for.
    """
    platform.asked.clear()
    platform.go_on.clear()
    answering = asyncio.create_task(answers(way.port, requests))
    await platform.asked.wait()
    if server is not None:
        server.should_exit = True
        await until(lambda: not server.servers[0].is_serving())
    platform.go_on.set()
    return await answering


async def first_answer(way: Way, request: bytes) -> bytes:
    """Return the first answer on a connection that is then given up."""
    (found,) = await one_by_one(way, [request])
    return found


TAG = "If-None-Match"

PLAIN = {
    "plain": ask(),
    "bearer": ask(f"Authorization: Bearer {KEY}", key=None),
    "json": ask("Accept: application/json"),
    "any": ask("Accept: */*"),
    "another tag": ask(f'{TAG}: "other"'),
    "any tag": ask(f"{TAG}: *"),
    "names": ask("X-Request-ID: order-66", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    "empty query": ask(line="GET /v1/lists? HTTP/1.1"),
}
"""Requests that the protocol can answer."""

OTHERS = {
    "head": ask(line="HEAD /v1/lists HTTP/1.1"),
    "put": ask("Content-Length: 2", line="PUT /v1/lists HTTP/1.1", body="{}"),
    "post": ask("Content-Length: 2", "Content-Type: application/json", line="POST /v1/lists HTTP/1.1", body="{}"),
    "options": ask(line="OPTIONS /v1/lists HTTP/1.1"),
    "body": ask("Content-Length: 2", body="{}"),
    "no bytes of body": ask("Content-Length: 0"),
    "chunks": ask("Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\n\r\n"),
    "no key": ask(key=None),
    "unknown key": ask(key="umg_unknown"),
    "two keys": ask(f"X-API-Key: {KEY}"),
    "two different keys": ask("Authorization: Bearer umg_other"),
    "disabled": ask(key=f"{KEY}gone"),
    "html": ask("Accept: text/html"),
    "no cache": ask("Cache-Control: no-cache"),
    "no old ones": ask("Cache-Control: max-age=0"),
    "only kept ones": ask("Cache-Control: only-if-cached"),
    "pragma": ask("Pragma: no-cache"),
    "range": ask("Range: bytes=0-1"),
    "wrong time": ask("Request-Timeout: never"),
    "origin": ask("Origin: https://app.example.com"),
    "expect": ask("Expect: 100-continue"),
    "escaped": ask(line="GET /v1/lis%74s HTTP/1.1"),
    "fragment": ask(line="GET /v1/lists#x HTTP/1.1"),
    "fragment of a query": ask(line="GET /v1/lists?#x HTTP/1.1"),
    "absolute": ask(line="GET http://x/v1/lists HTTP/1.1"),
    "not a parameter": ask(line="GET /v1/lists?page=1 HTTP/1.1"),
    "not there": ask(line="GET /v1/nothing HTTP/1.1"),
    "not of a tenant": ask(line="GET /healthz HTTP/1.1"),
    "old": ask(line="GET /v1/lists HTTP/1.0"),
    "old that stays": ask("Connection: keep-alive", line="GET /v1/lists HTTP/1.0"),
    "last": END,
}
"""Requests that it leaves to the application."""


MIXED = [
    *PLAIN.values(),
    *[each for name, each in OTHERS.items() if name not in {"head", "old", "old that stays", "last"}],
]
"""Requests after which the connection goes on, and whose answers have the length they say."""


class TestOneAnswer:
    @pytest.mark.parametrize("request_", PLAIN.values(), ids=PLAIN.keys())
    async def test_whoever_gives_it(self, ways: Ways, request_: bytes) -> None:
        long = await answers(ways.long.port, request_ + END)
        assert len(long) == 2
        assert await at_hand(ways.short, request_) == long == await answers(ways.middle.port, request_ + END)

    async def test_that_nothing_has_changed(self, ways: Ways) -> None:
        (first,) = await answers(ways.long.port, END)
        tag = next(line for line in first.decode().split("\r\n") if line.startswith("etag: ")).partition(" ")[2]
        unchanged = ask(f'{TAG}: "other", W/{tag}')
        long = await answers(ways.long.port, unchanged + END)
        assert long[0].startswith(b"HTTP/1.1 304 ")
        assert await at_hand(ways.short, unchanged) == long == await answers(ways.middle.port, unchanged + END)

    @pytest.mark.parametrize("request_", OTHERS.values(), ids=OTHERS.keys())
    async def test_or_one_that_only_the_application_gives(self, ways: Ways, request_: bytes) -> None:
        before = ways.short.asked.times
        short = await answers(ways.short.port, request_ + END)
        assert ways.short.asked.times > before
        assert short == await answers(ways.long.port, request_ + END) == await answers(ways.middle.port, request_ + END)

    async def test_to_a_request_that_would_leave_http(self, ways: Ways) -> None:
        request = ask("Connection: upgrade", "Upgrade: h2c")
        found = [await first_answer(way, request) for way in (ways.short, ways.middle, ways.long)]
        assert found[0].startswith(b"HTTP/1.1 200 ")
        assert len(set(found)) == 1

    async def test_until_the_limit_is_used_up(self, ways: Ways) -> None:
        request = ask(key=f"{KEY}small")
        before = ways.short.asked.times
        found = await one_by_one(ways.short, [request] * 250)
        served = [each for each in found if each.startswith(b"HTTP/1.1 200 ")]
        assert 200 <= len(served) < 250
        assert ways.short.asked.times - before < 250
        refused = {*found[len(served) :]}
        for way in (ways.middle, ways.long):
            refused |= {*(await answers(way.port, request + END))[:-1]}
        (problem,) = refused
        assert problem.startswith(b"HTTP/1.1 429 ")
        assert b'"code":"rate_limited"' in problem

    async def test_in_whatever_pieces_the_request_comes(self, ways: Ways) -> None:
        request = ask()
        whole = await at_hand(ways.short, request)
        for cut in range(0, len(request), 7):
            assert await answers(ways.short.port, request[:cut], request[cut:] + END) == whole

    async def test_is_not_given_to_whom_it_may_not(self, ways: Ways) -> None:
        """What has led one caller to a read leads nobody with other scopes there."""
        await at_hand(ways.short, ask())
        before = ways.short.asked.times
        await answers(ways.short.port, ask(key=READ_KEY) + END)
        assert ways.short.asked.times == before + 2


class TestPipelines:
    async def test_a_slow_request_keeps_its_place_before_those_at_hand(self, ways: Ways, platform: Platform) -> None:
        await at_hand(ways.short, ask())
        for way in (ways.short, ways.middle, ways.long):
            found = await slowly(way, platform, ask() + ask(NEW, line=SLOW) + ask() * 2 + END)
            assert [b"username" in each for each in found] == [False, True, False, False, False]

    async def test_many_requests_take_turns_with_other_connections(self, ways: Ways) -> None:
        requests = ask() * 100
        for _ in range(50):
            before = ways.short.asked.times
            found = await answers(ways.short.port, requests + END)
            assert len(found) == 101
            assert len(set(found[:-1])) == 1
            if (asked := ways.short.asked.times - before) < 101:
                break
        # At most so many in one go; all others wait behind the first one that has a task.
        assert 101 - 16 <= asked < 101

    async def test_nothing_is_answered_after_the_last_one(self, ways: Ways) -> None:
        for way in (ways.short, ways.middle, ways.long):
            assert len(await answers(way.port, ask() + END + ask() + ask())) == 2

    @settings(max_examples=30)
    @given(data=st.data())
    async def test_of_any_requests_in_any_pieces(self, ways: Ways, data: st.DataObject) -> None:
        requests = data.draw(st.lists(st.sampled_from(MIXED), max_size=8))
        stream = b"".join([*requests, END])
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        await answers(ways.long.port, ask() * 8 + END)
        short = await answers(ways.short.port, *pieces)
        assert short == await answers(ways.middle.port, *pieces) == await answers(ways.long.port, *pieces)


class TestTheEnd:
    async def test_of_the_server(self, ways: Ways, platform: Platform) -> None:
        """Who is idle is let go, whatever answered last; what is under way is answered, and nothing behind it."""
        seen = []
        for way in (ways.short, ways.long):
            async with ending(way.asked) as (port, server):
                again = Way(port, way.asked)
                await at_hand(ways.short, ask())
                idle = asyncio.create_task(answers(port, ask()))
                busy = asyncio.create_task(slowly(again, platform, ask() + ask(NEW, line=SLOW) + ask() * 2, server))
                seen.append((await idle, await busy))
        assert seen[0] == seen[1]
        idle_one, busy_one = seen[0]
        assert len(idle_one) == 1
        assert b"username" in busy_one[1]
        assert b"\r\nconnection: close\r\n" in busy_one[-1]


async def test_nothing_is_at_hand_where_the_process_keeps_nothing() -> None:
    async with all_ways(gateway(Platform(), cache_bytes=0)) as ways:
        found = await one_by_one(ways.short, [ask()] * 10)
        assert ways.short.asked.times == 10
    assert len(set(found)) == 1


class TestFaults:
    async def test_of_the_first_step_leave_the_request_to_the_rest(self) -> None:
        moments = Moments()
        key = ApiKey(
            id="ends", sha256=hash_key(KEY), scopes=frozenset(Scope), expires_at=datetime(2100, 1, 1, tzinfo=UTC)
        )
        platform = httpx2.MockTransport(Platform().answer)
        app = make_app([make_tenant(keys=(key,))], platform, moments, cache_lifetimes={"*": 3600})
        async with all_ways(app) as ways:
            await answers(ways.long.port, END)
            for way in (ways.short, ways.middle):
                moments.failures = 1
                with capture_logs() as logs:
                    found = await first_answer(way, ask())
                assert found.startswith(b"HTTP/1.1 200 ")
                assert [line["event"] for line in logs if line["log_level"] == "error"] == ["first_step_failed"]


class Moments:
    """A clock that fails when it is told to."""

    def __init__(self) -> None:
        self.failures = 0

    def __call__(self) -> datetime:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no time")
        return datetime.now(UTC)


@asynccontextmanager
async def ending(asked: Asked) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """Serve on a server that the test ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        asked,
        http=protocol(),
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    yield listener.getsockname()[1], server
    server.should_exit = True
    await serving


class TestWhatIsSaidOfThem:
    @pytest.fixture
    def stream(self) -> Iterator[StringIO]:
        stream = StringIO()
        configure_logging("INFO", stream)
        yield stream
        configure_logging("DEBUG", StringIO())

    async def test_lines_and_counts_are_the_same(self, stream: StringIO) -> None:
        app = gateway(Platform())
        async with all_ways(app) as ways:
            await answers(ways.long.port, END)
            said = [await self._said(way, stream, ways) for way in (ways.short, ways.middle, ways.long)]
            assert ways.short.asked.times < 20
        assert said[0] == said[1] == said[2]
        assert len(said[0][0]) == 30
        assert len(said[0][1]) > 3

    async def _said(self, way: Way, stream: StringIO, ways: Ways) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """Ask a few times; return the lines of the log, and by how much which metrics have grown."""
        before = await counts(ways)
        stream.seek(0)
        stream.truncate()
        await one_by_one(way, [ask("X-Request-ID: a")] * 16 + [ask(f"{TAG}: *", "X-Request-ID: b")] * 14)
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        after = await counts(ways)
        grown = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name)}
        return [_lasting(line) for line in lines if line.get("request_id") in {"a", "b"}], grown


def _lasting(line: dict[str, Any]) -> dict[str, Any]:
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert len(line.pop("traceparent")) == 55
    return line


async def counts(ways: Ways) -> dict[str, float]:
    """Return what the metrics say of requests and look-ups, without how long they took."""
    metrics = await first_answer(ways.long, ask(line="GET /metrics HTTP/1.1"))
    lines = [line.rpartition(" ") for line in metrics.partition(b"\r\n\r\n")[2].decode().splitlines()]
    counted = ("request_duration_seconds_count", "cache_lookups_total", "refused_total")
    return {
        name: float(value)
        for name, _, value in lines
        if not name.startswith("#") and name.partition("{")[0].endswith(counted) and "/metrics" not in name
    }
