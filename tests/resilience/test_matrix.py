"""Each kind of operation against each way in which the platform can fail, over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from tests.support.misbehaving import POLICIES, gateway, new_campaign, operations_of
from tests.support.problems import problem
from tests.support.servers import unused_port

Ask = Callable[[httpx2.AsyncClient, Sandbox], Awaitable[httpx2.Response]]

LONGEST = 2 * POLICIES["interactive_timeout"] + POLICIES["write_timeout"] + POLICIES["send_lookup_time"] + 1
"""Seconds in which everything is answered: what is read before and after, the call itself, and some to spare."""


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    Args:
        ask: makes a request that calls it.
        operation: the platform's name of it.
        success: the status of its success.
    """

    ask: Ask
    operation: str
    success: int


async def read(client: httpx2.AsyncClient, _sandbox: Sandbox) -> httpx2.Response:
    return await client.get("/v1/lists")


async def edit(client: httpx2.AsyncClient, sandbox: Sandbox) -> httpx2.Response:
    list_id = next(iter(sandbox.state("acme").lists))
    return await client.patch(f"/v1/lists/{list_id}", json={"name": "新"})


async def write(client: httpx2.AsyncClient, _sandbox: Sandbox) -> httpx2.Response:
    return await client.post("/v1/lists", json={"name": "新"})


async def send(client: httpx2.AsyncClient, sandbox: Sandbox) -> httpx2.Response:
    return await client.post("/v1/campaigns", json=new_campaign(sandbox))


KINDS = {
    "read": Kind(read, "maillist-list", 200),
    "idempotent_write": Kind(edit, "maillist-edit", 200),
    "write": Kind(write, "maillist-add", 201),
    "send": Kind(send, "add-task", 201),
}

FAULTS = {
    "reset_before": Fault("reset_before", times=None),
    "reset_after": Fault("reset_after", times=None),
    "close_after": Fault("close_after", times=None),
    "hang_before": Fault("hang_before", times=None),
    "hang_after": Fault("hang_after", times=None),
    "drip": Fault("drip", times=None, delay=0.05),
    "truncate": Fault("truncate", times=None),
    "cut_xml": Fault("cut_xml", times=None),
    "html_200": Fault("html_200", times=None),
    "html_500": Fault("html_500", times=None),
    "status_503": Fault("status", times=None),
    "status_503_retry_after": Fault("status", times=None, retry_after=30),
    "status_429": Fault("status", times=None, status=429),
    "status_429_retry_after": Fault("status", times=None, status=429, retry_after=30),
    "slow": Fault("latency", times=None, delay=0.05),
    "flapping": Fault("flapping"),
    "wrong_credentials": Fault("wrong_credentials", times=None),
}

UNKNOWN = "504 outcome_unknown"
QUOTA = "429 upstream_quota_exhausted"
LOGIN = "502 upstream_credentials_rejected"

OUTCOMES = {
    # what the platform does: what a read, an idempotent write, a write and a send end in, and after how many calls
    "reset_before": ("502 upstream_error ×3", f"{UNKNOWN} ×3", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "reset_after": ("502 upstream_error ×3", f"{UNKNOWN} ×3", f"{UNKNOWN} ×1", "201 ×1"),
    "close_after": ("502 upstream_error ×3", f"{UNKNOWN} ×3", f"{UNKNOWN} ×1", "201 ×1"),
    "hang_before": ("504 upstream_timeout ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "hang_after": ("504 upstream_timeout ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", "201 ×1"),
    "drip": ("504 upstream_timeout ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", "201 ×1"),
    "truncate": ("502 upstream_error ×3", f"{UNKNOWN} ×3", f"{UNKNOWN} ×1", "201 ×1"),
    "cut_xml": ("502 upstream_malformed ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", "201 ×1"),
    "html_200": ("502 upstream_malformed ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "html_500": ("502 upstream_error ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "status_503": ("502 upstream_error ×3", f"{UNKNOWN} ×3", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "status_503_retry_after": ("502 upstream_error ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "status_429": (f"{QUOTA} ×3", f"{QUOTA} ×3", f"{QUOTA} ×1", f"{QUOTA} ×1"),
    "status_429_retry_after": (f"{QUOTA} ×1", f"{QUOTA} ×1", f"{QUOTA} ×1", f"{QUOTA} ×1"),
    "slow": ("200 ×1", "200 ×1", "201 ×1", "201 ×1"),
    "flapping": ("200 ×2", "200 ×2", f"{UNKNOWN} ×1", f"{UNKNOWN} ×1"),
    "wrong_credentials": (f"{LOGIN} ×1", f"{LOGIN} ×1", f"{LOGIN} ×1", f"{LOGIN} ×1"),
}

CASES = [
    (kind, fault, outcome)
    for fault, outcomes in OUTCOMES.items()
    for kind, outcome in zip(KINDS, outcomes, strict=True)
]


async def within_time(asking: Awaitable[httpx2.Response]) -> httpx2.Response:
    """Return an answer, which must come in time."""
    async with asyncio.timeout(LONGEST):
        return await asking


def described(response: httpx2.Response, calls: int) -> str:
    """Write an answer as the table does."""
    if response.status_code < 400:
        return f"{response.status_code} ×{calls}"
    code = response.json()["code"]
    problem(response, response.status_code, code)
    return f"{response.status_code} {code} ×{calls}"


def misbehave(sandbox: Sandbox, kind: Kind, fault: Fault) -> None:
    """Have the platform fail in one operation only."""
    described = {name: getattr(fault, name) for name in ("kind", "times", "delay", "status", "retry_after", "every")}
    sandbox.misbehave(Fault(**described, operation=kind.operation))


@pytest.mark.parametrize(("kind", "fault", "outcome"), CASES, ids=[f"{kind}-{fault}" for kind, fault, _ in CASES])
async def test_outcome(client: httpx2.AsyncClient, sandbox: Sandbox, kind: str, fault: str, outcome: str) -> None:
    misbehave(sandbox, KINDS[kind], FAULTS[fault])
    response = await within_time(KINDS[kind].ask(client, sandbox))
    assert described(response, operations_of(sandbox).count(KINDS[kind].operation)) == outcome


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
class TestRefused:
    async def test_nothing_listens(self, sandbox: Sandbox, kind: Kind) -> None:
        async with gateway(f"http://127.0.0.1:{unused_port()}/mm-ms/apinew/") as clients:
            response = await within_time(kind.ask(clients["acme"], sandbox))
        assert "Retry-After" in response.headers
        problem(response, 503, "upstream_unavailable")
        assert "try 3" in response.headers["server-timing"]

    async def test_comes_back(self, client: httpx2.AsyncClient, sandbox: Sandbox, kind: Kind) -> None:
        address, port = sandbox.origin.rpartition(":")[::2]
        await sandbox.stop()
        problem(await kind.ask(client, sandbox), 503, "upstream_unavailable")
        await sandbox.start(address.removeprefix("http://"), int(port))
        assert (await kind.ask(client, sandbox)).status_code == kind.success


@pytest.mark.parametrize("kind", ["read", "idempotent_write"])
@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "close_after", "truncate", "status", "hang_after"])
async def test_what_is_safe_to_repeat_recovers(sandbox: Sandbox, kind: str, fault: str) -> None:
    sandbox.misbehave(Fault(fault, operation=KINDS[kind].operation))
    # A call that may be repeated leaves half of its time, but at least a second, for another try.
    async with gateway(sandbox.base_url, interactive_timeout=2.5, write_timeout=2.5) as clients:
        response = await KINDS[kind].ask(clients["acme"], sandbox)
    assert described(response, operations_of(sandbox).count(KINDS[kind].operation)) == "200 ×2"


@pytest.mark.parametrize(
    "fault", [Fault("status", retry_after=1), Fault("status", status=429, retry_after=1)], ids=["503", "429"]
)
async def test_the_platform_is_left_alone_as_long_as_it_asks(sandbox: Sandbox, fault: Fault) -> None:
    sandbox.misbehave(fault)
    began = asyncio.get_running_loop().time()
    async with gateway(sandbox.base_url, interactive_timeout=10) as clients:
        response = await KINDS["read"].ask(clients["acme"], sandbox)
    assert response.status_code == 200
    assert asyncio.get_running_loop().time() - began >= 1


@pytest.mark.parametrize("status", [503, 429])
async def test_retry_after_is_passed_on(client: httpx2.AsyncClient, sandbox: Sandbox, status: int) -> None:
    sandbox.misbehave(Fault("status", status=status, retry_after=30))
    response = await client.get("/v1/lists")
    assert response.headers["retry-after"] == "30"


async def test_a_hurried_caller_waits_no_longer_than_it_says(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.misbehave(Fault("hang_before", operation="maillist-list", times=None))
    response = await client.get("/v1/lists", headers={"Request-Timeout": "0.1"})
    problem(response, 504, "upstream_timeout")
