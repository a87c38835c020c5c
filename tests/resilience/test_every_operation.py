"""Every operation, with the request of one of its golden files, against each way in which a platform can fail.

The platform is a raw server. Mostly it fails every call in the same way, and what is asked first decides the outcome;
where it is only slow, or fails once, it then gives the replies of the golden file.
"""

import asyncio
import itertools
import json
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
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
}
TIMEOUTS = ("connect_timeout", "interactive_timeout", "write_timeout", "upload_timeout", "export_timeout")
LONGEST = 30.0
"""Seconds in which everything is answered, on a machine that has other things to do."""


Fault = Callable[[Reader, Writer], Awaitable[None]]


@dataclass
class Calls:
    """What the platform does with the calls of one case, and how many there were."""

    fail: Fault
    number: int = 0


class Platform:
    """A server that fails each case, which its path names, in its own way; or every call, before it is read."""

    def __init__(self) -> None:
        self.url = ""
        self.cases: dict[str, Calls] = {}
        self.unread: Calls | None = None

    def expect(self, name: str, fault: str, fail: Fault) -> Calls:
        """Fail the calls of a case so."""
        return self.cases.setdefault(f"{name}/{fault}", Calls(fail))

    async def behave(self, reader: Reader, writer: Writer) -> None:
        """Serve a connection."""
        while True:
            request = b"" if self.unread else await read_request(reader)
            calls = self.unread or self.cases[case_of(request)]
            calls.number += 1
            await calls.fail(reader, writer)


def case_of(request: bytes) -> str:
    """Return what the path of a request names: an operation and a fault."""
    return "/".join(request.split(b" ", 2)[1].decode().split("/")[3:5])


def replying(head: str, body: str | bytes = "", length: int | None = None) -> Fault:
    """Answer with a status line, further headers and a body, whose length may be a lie."""
    content = body.encode() if isinstance(body, str) else body
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
FAULTS: dict[str, Fault] = {
    "reset_unread": reset_at_once,
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
    "reset_unread": (502, "upstream_error", TRIES),
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
    """Return the golden file of a success of an operation, with its replies as `replies`."""
    for path in sorted(HERE.joinpath(*operation.name.split(".")).glob("*.json")):
        case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if case["output"]["status"] < 300 and case["upstream"]:
            files = sorted(path.parent.glob(f"{path.stem}.reply*"))
            return {**case, "replies": [file.read_bytes() for file in files]}
    raise AssertionError(f"{operation.name} has no golden file of a success")


def golden_replies(case: dict[str, Any]) -> Iterator[Fault]:
    """Give a golden file's replies in turn; the last one repeats."""
    content_type = case.get("reply", {}).get("content_type", "text/html; charset=utf-8")
    replies = case["replies"]
    for reply in itertools.chain(replies, itertools.repeat(replies[-1])):
        yield replying(f"200 OK\r\nContent-Type: {content_type}", reply)


def first_effect(case: dict[str, Any]) -> Effect:
    """Return the effect of what a request asks the platform first."""
    call = case["upstream"][0]
    return OPERATIONS[call["script"], call["query"].get("do")].effect


WAITING = {"hang", "drip"}
PASSING = ("slow", "flapping")
CASES = {operation.name: golden_of(operation) for operation in operations()}


def tenant_of(name: str, fault: str, base_url: str) -> Tenant:
    """Return a tenant whose platform has an address, and so a retry budget, of its own."""
    role = CASES[name]["input"].get("role", "customer")
    suffix = f"{name}.{fault}"
    return make_tenant(tenant_id=suffix, suffix=suffix, role=role, base_url=base_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Platform]:
    """A platform that fails as a test says."""
    made = Platform()
    async with serving(made.behave) as made.url:
        yield made


def gateway(platform: Platform, timeout: float) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
    """Return a gateway with a tenant for each operation and fault, and one whose platform is not there."""
    tenants = [
        tenant_of(name, fault, f"{platform.url}{name}/{fault}/") for name in CASES for fault in (*FAULTS, *PASSING)
    ]
    nowhere = f"http://127.0.0.1:{unused_port()}/"
    tenants += [tenant_of(name, "refused", f"{nowhere}{name}/") for name in CASES]
    settings = {**SETTINGS, **dict.fromkeys(TIMEOUTS, timeout)}
    return client_of(make_app(tenants, now=lambda: NOW, **settings), key=None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway that waits longer than anything but a hanging platform takes."""
    async with gateway(platform, 20.0) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hurried(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway that waits for two seconds."""
    async with gateway(platform, 2.0) as made:
        yield made


async def ask(client: httpx2.AsyncClient, name: str, fault: str) -> httpx2.Response:
    """Send the request of an operation's golden file, and have the answer in time."""
    request = dict(CASES[name]["input"])
    request.pop("role", None)
    headers = {"X-API-Key": f"{KEYS[request.pop('key', 'all')]}{name}.{fault}", **request.pop("headers", {})}
    async with asyncio.timeout(LONGEST):
        return await client.request(request.pop("method"), request.pop("path"), headers=headers, **body_of(request))


async def each(judge: Callable[[str], Awaitable[None]], at_once: int = 1) -> None:
    """Judge every operation, some at the same time, and report each that failed."""
    free = asyncio.Semaphore(at_once)

    async def failure(name: str) -> str | None:
        async with free:
            try:
                await judge(name)
            except AssertionError as error:
                return f"{name}: {error}"
        return None

    assert [found for found in await asyncio.gather(*map(failure, CASES)) if found] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - WAITING - {"reset_unread"}))
async def test_a_failing_platform_is_told_as_what_it_is(
    fault: str, client: httpx2.AsyncClient, platform: Platform
) -> None:
    async def judge(name: str) -> None:
        status, code, number = expected(first_effect(CASES[name]), fault)
        calls = platform.expect(name, fault, FAULTS[fault])
        problem(await ask(client, name, fault), status, code)
        assert calls.number == number

    await each(judge)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", sorted(WAITING))
async def test_a_platform_that_does_not_come_to_an_end_is_waited_for_no_longer_than_allowed(
    fault: str, hurried: httpx2.AsyncClient, platform: Platform
) -> None:
    async def judge(name: str) -> None:
        status, code, _ = expected(first_effect(CASES[name]), fault)
        calls = platform.expect(name, fault, FAULTS[fault])
        problem(await ask(hurried, name, fault), status, code)
        assert 1 <= calls.number <= TRIES

    await each(judge, at_once=len(CASES))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_reset_before_anything_was_read_leaves_only_sent_changes_in_doubt(
    client: httpx2.AsyncClient, platform: Platform
) -> None:
    for name, case in CASES.items():
        status, code, _ = expected(first_effect(case), "reset_unread")
        platform.unread = calls = Calls(reset_at_once)
        response = await ask(client, name, "reset_unread")
        # A reset that is noticed before anything was sent leaves nothing in doubt: then any call is repeated.
        noticed = (503, "upstream_unavailable") if response.status_code == 503 else (status, code)
        problem(response, *noticed)
        assert 1 <= calls.number <= TRIES, name
    platform.unread = None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_slow_platform_is_waited_for(client: httpx2.AsyncClient, platform: Platform) -> None:
    async def judge(name: str) -> None:
        replies = golden_replies(CASES[name])

        async def late(reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(0.02)
            await next(replies)(reader, writer)

        calls = platform.expect(name, "slow", late)
        response = await ask(client, name, "slow")
        assert response.status_code == CASES[name]["output"]["status"], response.text
        assert calls.number == len(CASES[name]["upstream"])

    await each(judge)


@pytest.mark.asyncio(loop_scope="module")
async def test_one_failure_is_overcome_where_repeating_is_safe(client: httpx2.AsyncClient, platform: Platform) -> None:
    async def judge(name: str) -> None:
        replies = itertools.chain([FAULTS["status_503"]], golden_replies(CASES[name]))

        async def recovering(reader: Reader, writer: Writer) -> None:
            await next(replies)(reader, writer)

        calls = platform.expect(name, "flapping", recovering)
        response = await ask(client, name, "flapping")
        if first_effect(CASES[name]) in {Effect.READ, Effect.IDEMPOTENT_WRITE}:
            assert response.status_code == CASES[name]["output"]["status"], response.text
            assert calls.number == 1 + len(CASES[name]["upstream"])
        else:
            problem(response, 504, "outcome_unknown")
            assert calls.number == 1

    await each(judge)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_platform_that_is_not_there_is_unavailable(client: httpx2.AsyncClient) -> None:
    async def judge(name: str) -> None:
        response = await ask(client, name, "refused")
        problem(response, 503, "upstream_unavailable")
        assert response.headers["server-timing"].count("upstream;") == TRIES

    await each(judge)
