"""What the edge does before it reads a body: who sends it, whether they may, and whose place it takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from app.api.protocol import BoundedProtocol, ConnectionBounds
from app.tenants.models import ApiKey, Limits, Scope
from app.tenants.store import hash_key
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import make_app
from tests.support.sockets import served
from tests.support.tenants import KEY, READ_KEY, make_tenant

ADMIN_TOKEN = "operators-token-of-forty-characters-here"
BOUNDS = ConnectionBounds(head_bytes=16_384, head_seconds=60, stall_seconds=60)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def gateway(**settings: Any) -> AsyncIterator[int]:
    keys = (
        ApiKey(id="full", sha256=hash_key(KEY), scopes=frozenset(Scope)),
        ApiKey(id="read", sha256=hash_key(READ_KEY), scopes=frozenset({Scope.READ})),
    )
    limits = Limits(requests_per_minute=10_000, concurrency=1)
    tenants = [make_tenant(keys=keys, limits=limits), make_tenant(tenant_id="other", suffix="other")]
    app = make_app(tenants, FakePlatform([xml_reply("<maillist/>")]).transport, **settings)
    async with served(app, partial(BoundedProtocol, bounds=BOUNDS)) as port:
        yield port


async def begin(stack: AsyncExitStack, port: int, path: str, *headers: str, method: str = "POST") -> Connection:
    """Announce a body of ten megabytes that never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.push_async_callback(_abort, writer)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    if method == "POST":
        lines.append("Content-Length: 10000000")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return reader, writer


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def answer(connection: Connection) -> tuple[int, str | None]:
    async with asyncio.timeout(20):
        head = await connection[0].readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await connection[0].readexactly(int(length.partition(b":")[2]))
    return int(head.split()[1]), json.loads(body).get("code")


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/v1/lists", [], (401, "unauthenticated")),
        ("/v1/lists", [f"X-API-Key: {READ_KEY}"], (403, "insufficient_scope")),
        ("/v1/lists", [f"X-API-Key: {READ_KEY}", "Idempotency-Key: k"], (403, "insufficient_scope")),
        ("/v1/lists/1/imports", [f"X-API-Key: {READ_KEY}"], (403, "insufficient_scope")),
        ("/v1/nothing", [f"X-API-Key: {KEY}"], (404, "not_found")),
        ("/v1/account", [f"X-API-Key: {KEY}"], (405, "method_not_allowed")),
        ("/admin/v1/cache/purge", [], (401, "unauthenticated")),
        ("/admin/v1/tenants", ["Authorization: Bearer wrong"], (401, "unauthenticated")),
        ("/admin/v1/nothing", [f"Authorization: Bearer {ADMIN_TOKEN}"], (404, "not_found")),
        ("/nothing", [], (404, "not_found")),
        ("/docs", [], (405, "method_not_allowed")),
    ],
)
async def test_no_body_is_waited_for_in_vain(path: str, headers: list[str], expected: tuple[int, str]) -> None:
    async with gateway(admin_token=ADMIN_TOKEN) as port, AsyncExitStack() as stack:
        assert await answer(await begin(stack, port, path, *headers)) == expected


async def test_without_an_operators_token_nothing_is_administered() -> None:
    async with gateway() as port, AsyncExitStack() as stack:
        assert await answer(await begin(stack, port, "/admin/v1/tenants")) == (404, "not_found")


async def test_requests_without_a_token_count_as_guesses() -> None:
    async with gateway(admin_token=ADMIN_TOKEN, lockout_failures=2) as port, AsyncExitStack() as stack:
        found = [await answer(await begin(stack, port, "/admin/v1/tenants")) for _ in range(3)]
    assert found == [(401, "unauthenticated"), (401, "unauthenticated"), (429, "rate_limited")]


async def test_a_tenant_holds_no_more_than_its_share() -> None:
    async with gateway(max_requests=4) as port, AsyncExitStack() as stack:
        key, other = f"X-API-Key: {KEY}", f"X-API-Key: {KEY}other"
        held = [await begin(stack, port, "/v1/lists", key, "Expect: 100-continue") for _ in range(2)]
        for reader, _ in held:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        assert await answer(await begin(stack, port, "/v1/lists", key, method="GET")) == (429, "rate_limited")
        assert await answer(await begin(stack, port, "/v1/lists", other, method="GET")) == (200, None)


async def test_slow_bodies_make_room() -> None:
    """Two tenants hold all places with bodies that do not come: the first of them goes, and who asks next is heard."""
    async with gateway(max_requests=4) as port, AsyncExitStack() as stack:
        keys = (f"X-API-Key: {KEY}", f"X-API-Key: {KEY}other")
        held = [await begin(stack, port, "/v1/lists", key) for key in keys * 2]
        async with asyncio.timeout(20):
            while await answer(await begin(stack, port, "/v1/lists", method="GET")) == (503, "overloaded"):
                pass
            evicted = [asyncio.create_task(answer(each)) for each in held]
            first, others = await asyncio.wait(evicted, return_when="FIRST_COMPLETED")
        assert {task.result() for task in first} == {(503, "overloaded")}
        for task in others:
            task.cancel()


async def test_a_full_gateway_answers_probes() -> None:
    async with gateway(max_requests=1) as port, AsyncExitStack() as stack:
        reader, _ = await begin(stack, port, "/v1/lists", f"X-API-Key: {KEY}", "Expect: 100-continue")
        await reader.readuntil(b"\r\n\r\n")
        assert (await answer(await begin(stack, port, "/healthz", method="GET")))[0] == 200
        assert await answer(await begin(stack, port, "/openapi.json", method="GET")) == (503, "overloaded")
