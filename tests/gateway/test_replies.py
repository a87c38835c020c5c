"""Every way the platform can answer or fail, and the one outcome each has, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.sandbox import Account, Fault, Sandbox
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import unused_port
from tests.support.tenants import make_tenant

ACCOUNT = Account(username="acme", password="secret-pässword", role="customer", seeded=True)
READ = ("GET", "/v1/lists", None)
WRITE = ("POST", "/v1/lists", {"name": "新闻"})


@pytest.fixture
async def seeded() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=[ACCOUNT]) as running:
        yield running


@pytest.fixture
async def client(seeded: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    tenant = make_tenant(base_url=seeded.base_url, password=ACCOUNT.password)
    app = make_app([tenant], interactive_timeout=0.5, write_timeout=0.5, max_reply_bytes=1_000_000)
    async with client_of(app) as made:
        yield made


async def call(client: httpx2.AsyncClient, what: tuple[str, str, Any]) -> httpx2.Response:
    method, path, body = what
    return await client.request(method, path, json=body)


HARMLESS = ["bom", "gbk", "unknown_elements"]
BROKEN = [
    ("html_200", "upstream_malformed", 502),
    ("cut_xml", "upstream_malformed", 502),
    ("garbage", "upstream_malformed", 502),
    ("entity_bomb", "upstream_malformed", 502),
    ("huge", "upstream_malformed", 502),
    ("html_500", "upstream_error", 502),
    ("reset_before", "upstream_error", 502),
    ("reset_after", "upstream_error", 502),
    ("close_after", "upstream_error", 502),
    ("truncate", "upstream_error", 502),
    ("hang_before", "upstream_timeout", 504),
    ("hang_after", "upstream_timeout", 504),
]


class TestHarmlessHabits:
    @pytest.mark.parametrize("kind", HARMLESS)
    async def test_change_nothing(self, client: httpx2.AsyncClient, seeded: Sandbox, kind: str) -> None:
        expected = (await call(client, READ)).json()
        seeded.misbehave(Fault(kind=kind))
        response = await call(client, READ)
        assert response.status_code == 200, response.text
        assert response.json() == expected
        assert expected["data"]

    async def test_drift_is_counted(self, client: httpx2.AsyncClient, seeded: Sandbox) -> None:
        seeded.misbehave(Fault(kind="unknown_elements"))
        await call(client, READ)
        metrics = (await client.get("/metrics")).text
        assert 'umail_gateway_upstream_drift_total{kind="unknown_element",operation="lists.list"}' in metrics


class TestReading:
    @pytest.mark.parametrize(("kind", "code", "status"), BROKEN)
    async def test_fault(self, client: httpx2.AsyncClient, seeded: Sandbox, kind: str, code: str, status: int) -> None:
        seeded.misbehave(Fault(kind=kind))
        body = problem(await call(client, READ), status, code)
        assert body["upstream"]["operation"] == "lists.list"
        assert (await call(client, READ)).status_code == 200

    async def test_drip_does_not_outlive_the_deadline(self, client: httpx2.AsyncClient, seeded: Sandbox) -> None:
        seeded.misbehave(Fault(kind="drip", delay=0.05))
        problem(await call(client, READ), 504, "upstream_timeout")

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 403, 404, 302])
    async def test_http_error(self, client: httpx2.AsyncClient, seeded: Sandbox, status: int) -> None:
        seeded.misbehave(Fault(kind="status", status=status))
        assert problem(await call(client, READ), 502, "upstream_error")["upstream"]["status"] == str(status)

    async def test_too_many_requests(self, client: httpx2.AsyncClient, seeded: Sandbox) -> None:
        seeded.misbehave(Fault(kind="status", status=429, retry_after=7))
        response = await call(client, READ)
        problem(response, 429, "upstream_quota_exhausted")
        assert response.headers["retry-after"] == "7"


class TestWriting:
    @pytest.mark.parametrize("kind", [kind for kind, _, _ in BROKEN])
    async def test_outcome_is_unknown(self, client: httpx2.AsyncClient, seeded: Sandbox, kind: str) -> None:
        seeded.misbehave(Fault(kind=kind))
        body = problem(await call(client, WRITE), 504, "outcome_unknown")
        assert "`GET /v1/lists`" in body["detail"]

    @pytest.mark.parametrize("status", [301, 302, 408, 500, 503])
    async def test_statuses_that_leave_it_open(self, client: httpx2.AsyncClient, seeded: Sandbox, status: int) -> None:
        seeded.misbehave(Fault(kind="status", status=status))
        problem(await call(client, WRITE), 504, "outcome_unknown")

    @pytest.mark.parametrize("status", [400, 403, 404])
    async def test_statuses_of_what_stands_in_front(
        self, client: httpx2.AsyncClient, seeded: Sandbox, status: int
    ) -> None:
        seeded.misbehave(Fault(kind="status", status=status))
        problem(await call(client, WRITE), 502, "upstream_error")

    async def test_what_was_never_sent_is_safe_to_repeat(self) -> None:
        tenant = make_tenant(base_url=f"http://127.0.0.1:{unused_port()}/")
        async with client_of(make_app([tenant])) as client:
            for what in (READ, WRITE):
                response = await call(client, what)
                problem(response, 503, "upstream_unavailable")
                assert int(response.headers["retry-after"]) > 0

    async def test_nothing_is_repeated(self, client: httpx2.AsyncClient, seeded: Sandbox) -> None:
        before = len(seeded.state("acme").lists)
        seeded.misbehave(Fault(kind="reset_after"))
        await call(client, WRITE)
        assert len(seeded.state("acme").lists) == before + 1


class TestCredentials:
    @pytest.mark.parametrize("legacy", [False, True])
    async def test_refused(self, seeded: Sandbox, legacy: bool) -> None:
        base_url = seeded.legacy_base_url if legacy else seeded.base_url
        tenant = make_tenant(
            upstream={
                "base_url": base_url,
                "auth": "legacy" if legacy else "basic",
                "username": "acme",
                "password": "wrong",
            }
        )
        async with client_of(make_app([tenant])) as client:
            problem(await call(client, READ), 502, "upstream_credentials_rejected")
            problem(await call(client, WRITE), 502, "upstream_credentials_rejected")

    async def test_legacy_login(self, seeded: Sandbox) -> None:
        upstream = {
            "base_url": seeded.legacy_base_url,
            "auth": "legacy",
            "username": "acme",
            "password": ACCOUNT.password,
        }
        async with client_of(make_app([make_tenant(upstream=upstream)])) as client:
            assert (await call(client, READ)).status_code == 200

    async def test_nothing_of_them_is_shown(self, client: httpx2.AsyncClient, seeded: Sandbox) -> None:
        for kind, _, _ in BROKEN:
            seeded.misbehave(Fault(kind=kind))
            response = await call(client, READ)
            for secret in (ACCOUNT.password, "Basic ", "127.0.0.1", "mloperate"):
                assert secret not in response.text


class TestForwarding:
    async def test_request_id_and_trace_reach_the_platform(self) -> None:
        platform = FakePlatform([xml_reply("<maillist/>")])
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            await client.get("/v1/lists", headers={"X-Request-ID": "order-66", "traceparent": trace})
        sent = platform.requests[0].headers
        assert (sent["x-request-id"], sent["traceparent"]) == ("order-66", trace)

    async def test_nothing_else_of_the_client_does(self) -> None:
        platform = FakePlatform([xml_reply("<maillist/>")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            await client.get("/v1/lists", headers={"Cookie": "a=b", "X-Forwarded-For": "6.6.6.6", "X-Evil": "1"})
        assert set(platform.requests[0].headers) == {
            "host",
            "accept",
            "accept-encoding",
            "user-agent",
            "authorization",
            "x-request-id",
            "traceparent",
        }


async def test_a_client_that_leaves_ends_the_upstream_call(seeded: Sandbox) -> None:
    cancelled = asyncio.Event()

    class Waiting(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, _request: httpx2.Request) -> httpx2.Response:
            started.set()
            try:
                return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
            finally:
                cancelled.set()

    started = asyncio.Event()
    async with client_of(make_app([make_tenant()], Waiting())) as client:
        request = asyncio.create_task(client.get("/v1/lists"))
        await started.wait()
        request.cancel()
        await asyncio.wait_for(cancelled.wait(), 5)
