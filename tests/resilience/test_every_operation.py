"""Every operation, with the request of one of its golden files, against each way in which a platform can fail.

Which replies a platform gave before it failed is of no account here, so the platform is a raw server that fails every
call in the same way: what is asked first decides the outcome.
"""

import asyncio
import json
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.gateway.operation import Effect
from app.tenants.models import Tenant
from tests.golden.test_golden import HERE, KEYS, body_of
from tests.support.operations import AnyOperation, operations
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import read_request, reset, serving, unused_port
from tests.support.tenants import make_tenant

NOW = datetime(2026, 3, 1, 4, 0, 0, tzinfo=UTC)
TRIES = 3
SETTINGS: dict[str, Any] = {
    "retry_attempts": TRIES,
    "retry_base": 0.001,
    "retry_cap": 0.002,
    "retry_budget": 1,
    "interactive_timeout": 1.0,
    "write_timeout": 1.0,
    "upload_timeout": 1.0,
    "export_timeout": 1.0,
    "connect_timeout": 0.5,
}
LONGEST = 8.0
"""Seconds in which everything is answered, on a machine that has other things to do."""


@dataclass
class Calls:
    """The calls that reached the platform."""

    number: int = 0
    url: str = ""
    fail: Callable[[Reader, Writer], Awaitable[None]] = field(default=lambda _reader, _writer: asyncio.sleep(0))


def replying(head: str, body: str = "", length: int | None = None) -> Callable[[Reader, Writer], Awaitable[None]]:
    """Answer with a status line, further headers and a body, whose length may be a lie."""
    content = body.encode()
    announced = len(content) if length is None else length

    async def reply(_reader: Reader, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {announced}\r\n\r\n".encode() + content)
        await writer.drain()
        if announced > len(content):
            raise ConnectionError

    return reply


async def reset_at_once(_reader: Reader, writer: Writer) -> None:
    reset(writer)
    raise ConnectionError


async def hang(_reader: Reader, _writer: Writer) -> None:
    await asyncio.Event().wait()


async def drip(_reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


XML = "Content-Type: text/xml"
PAGE = "<html><head><title>502</title></head><body></body></html>"
REFUSED = "<result><status>auth_failed</status><data>no</data></result>"
FAULTS: dict[str, Callable[[Reader, Writer], Awaitable[None]]] = {
    "reset": reset_at_once,
    "hang": hang,
    "drip": drip,
    "truncated": replying(f"200 OK\r\n{XML}", '<?xml version="1.0"?>', length=5000),
    "cut_xml": replying(f"200 OK\r\n{XML}", "<data><a>1</a><b"),
    "html_200": replying("200 OK\r\nContent-Type: text/html", PAGE),
    "html_500": replying("500 Internal Server Error\r\nContent-Type: text/html", PAGE),
    "status_503": replying("503 Service Unavailable"),
    "status_503_retry_after": replying("503 Service Unavailable\r\nRetry-After: 30"),
    "status_429": replying("429 Too Many Requests"),
    "unauthorized": replying("401 Unauthorized"),
    "wrong_credentials": replying(f"200 OK\r\n{XML}", REFUSED),
}

READ: dict[str, tuple[int, str, int]] = {
    "reset": (502, "upstream_error", TRIES),
    "hang": (504, "upstream_timeout", 0),
    "drip": (504, "upstream_timeout", 0),
    "truncated": (502, "upstream_error", TRIES),
    "cut_xml": (502, "upstream_malformed", 1),
    "html_200": (502, "upstream_malformed", 1),
    "html_500": (502, "upstream_error", 1),
    "status_503": (502, "upstream_error", TRIES),
    "status_503_retry_after": (502, "upstream_error", 1),
    "status_429": (429, "upstream_quota_exhausted", TRIES),
    "unauthorized": (502, "upstream_credentials_rejected", 1),
    "wrong_credentials": (502, "upstream_credentials_rejected", 1),
}
"""Status, code and number of calls of a read; 0 calls stands for one or more: time ran out."""

_KNOWN = {"status_429", "unauthorized", "wrong_credentials"}


def expected(effect: Effect, fault: str) -> tuple[int, str, int]:
    """Return status, code and calls: whatever leaves a change's fate open is `outcome_unknown`."""
    status, code, calls = READ[fault]
    if effect is Effect.READ:
        return status, code, calls
    if fault not in _KNOWN:
        status, code = 504, "outcome_unknown"
    return status, code, calls if effect is Effect.IDEMPOTENT_WRITE else 1


OPERATIONS = {(each.script, each.do): each for each in operations()}


def golden_of(operation: AnyOperation) -> dict[str, Any]:
    """Return the golden file of a success of an operation."""
    folder = HERE.joinpath(*operation.name.split("."))
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(folder).glob("*.json"))]
    case: dict[str, Any] = next(case for case in cases if case["output"]["status"] < 300 and case["upstream"])
    return case


def first_effect(case: dict[str, Any]) -> Effect:
    """Return the effect of what a request asks the platform first."""
    call = case["upstream"][0]
    return OPERATIONS[call["script"], call["query"].get("do")].effect


CASES = {operation.name: golden_of(operation) for operation in operations()}


def tenant_of(name: str, fault: str, base_url: str) -> Tenant:
    """Return a tenant whose platform has an address, and so a retry budget, of its own."""
    role = CASES[name]["input"].get("role", "customer")
    suffix = f"{name}.{fault}"
    return make_tenant(tenant_id=suffix, suffix=suffix, role=role, base_url=base_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Calls]:
    """A platform that fails as a test says."""
    calls = Calls()

    async def behave(reader: Reader, writer: Writer) -> None:
        while True:
            await read_request(reader)
            calls.number += 1
            await calls.fail(reader, writer)

    async with serving(behave) as calls.url:
        yield calls


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(platform: Calls) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway with a tenant for each operation and fault, and one whose platform is not there."""
    tenants = [tenant_of(name, fault, f"{platform.url}{name}/{fault}/") for name in CASES for fault in FAULTS]
    nowhere = f"http://127.0.0.1:{unused_port()}/"
    tenants += [tenant_of(name, "refused", f"{nowhere}{name}/") for name in CASES]
    async with client_of(make_app(tenants, now=lambda: NOW, **SETTINGS), key=None) as made:
        yield made


async def ask(client: httpx2.AsyncClient, name: str, fault: str) -> httpx2.Response:
    """Send the request of an operation's golden file, and have the answer in time."""
    request = dict(CASES[name]["input"])
    request.pop("role", None)
    headers = {"X-API-Key": f"{KEYS[request.pop('key', 'all')]}{name}.{fault}", **request.pop("headers", {})}
    async with asyncio.timeout(LONGEST):
        return await client.request(request.pop("method"), request.pop("path"), headers=headers, **body_of(request))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CASES)
async def test_outcome(name: str, fault: str, client: httpx2.AsyncClient, platform: Calls) -> None:
    status, code, calls = expected(first_effect(CASES[name]), fault)
    platform.fail, platform.number = FAULTS[fault], 0
    response = await ask(client, name, fault)
    problem(response, status, code)
    assert platform.number == calls or (calls == 0 and 1 <= platform.number <= TRIES)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES)
async def test_nobody_listens(name: str, client: httpx2.AsyncClient) -> None:
    response = await ask(client, name, "refused")
    problem(response, 503, "upstream_unavailable")
    assert response.headers["server-timing"].count("upstream;") == TRIES
