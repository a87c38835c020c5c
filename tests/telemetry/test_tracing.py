"""What a collector is told of requests: where each one's time went, and no secret."""

import asyncio
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from app.gateway.context import RequestContext, UpstreamCall
from app.telemetry.logs import configure_logging
from app.telemetry.otlp import span_exporter
from app.telemetry.tracing import Tracing, without_secrets
from app.tenants.models import Limits, Tenant, UpstreamAccount
from tests.support.canaries import forms
from tests.support.collector import Collector, collecting
from tests.support.exposition import total
from tests.support.gateways import ROOT
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.servers import unused_port
from tests.support.tenants import BASE_URL, make_smtp, make_tenant

LISTS = xml_reply("<maillist></maillist>")
CREATED = xml_reply("<result><status>success</status><id>5</id></result>")
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
NOT_SAMPLED = f"00-{TRACE_ID}-00f067aa0ba902b7-00"
SERVER, CLIENT, INTERNAL = 2, 3, 1
ROUTE = "GET /v1/lists"


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running:
        yield running


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    configure_logging("DEBUG", io.StringIO())


def lines(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def get(
    collector: Collector,
    platform: FakePlatform,
    *headers: dict[str, str],
    tenant: Tenant | None = None,
    **settings: Any,
) -> list[httpx2.Response]:
    """Ask for lists once with each set of headers; what was traced has reached the collector afterwards."""
    app = make_app([tenant or make_tenant()], platform.transport, otlp_endpoint=collector.url, **settings)
    async with client_of(app) as client:
        return [await client.get("/v1/lists", headers=each) for each in headers]


async def waiting_calls(client: httpx2.AsyncClient) -> float:
    """Let the others go on a little, and return how many calls wait for a slot of their tenant's."""
    await asyncio.sleep(0)
    return total((await client.get("/metrics")).text, "umail_gateway_slots_waiting", which="tenant")


class TestRequests:
    async def test_continue_the_callers_trace_to_the_platform(self, collector: Collector) -> None:
        platform = FakePlatform([LISTS])
        headers = {"traceparent": SAMPLED, "X-Request-ID": "request-1"}
        (response,) = await get(collector, platform, headers)

        server, call = collector.named(ROUTE), collector.named("lists.list")
        assert (server.kind, server.trace_id, server.parent_id) == (SERVER, TRACE_ID, "00f067aa0ba902b7")
        assert server.attributes == {
            "http.request.method": "GET",
            "http.route": "/v1/lists",
            "http.response.status_code": 200,
            "umail.request_id": "request-1",
            "umail.tenant": "acme",
            "umail.key": "all",
            "umail.cache": "bypass",
        }
        assert (call.kind, call.trace_id, call.parent_id) == (CLIENT, TRACE_ID, server.span_id)
        assert call.attributes == {
            "umail.operation": "lists.list",
            "umail.attempt": 1,
            "umail.outcome": "ok",
            "http.request.method": "GET",
            "url.full": f"{BASE_URL}{platform.requests[0].url.path.rpartition('/')[2]}",
            "http.response.status_code": 200,
        }
        assert server.start <= call.start <= call.end <= server.end
        assert (server.error, call.error) == (None, None)
        assert server.resource["service.name"] == "umail-gateway"
        assert platform.requests[0].headers["traceparent"] == f"00-{TRACE_ID}-{call.span_id}-01"
        assert response.headers["traceparent"] == SAMPLED

    async def test_that_their_sender_does_not_trace_are_not_traced(self, collector: Collector) -> None:
        platform = FakePlatform([LISTS])
        (response,) = await get(collector, platform, {"traceparent": NOT_SAMPLED})
        assert collector.spans == []
        assert platform.requests[0].headers["traceparent"] == response.headers["traceparent"] == NOT_SAMPLED

    async def test_without_a_trace_begin_one_that_the_answer_names(self, collector: Collector) -> None:
        responses = await get(collector, FakePlatform([LISTS]), {}, {"traceparent": "nonsense"})
        servers = [span for span in collector.spans if span.name == ROUTE]
        assert [span.parent_id for span in servers] == ["", ""]
        for span, response in zip(servers, responses, strict=True):
            *names, flags = response.headers["traceparent"].split("-")
            assert names == ["00", span.trace_id, span.span_id]
            assert int(flags, 16) & 1

    async def test_of_another_version_of_trace_context_begin_one(self, collector: Collector) -> None:
        await get(collector, FakePlatform([LISTS]), {"traceparent": f"01-{TRACE_ID}-00f067aa0ba902b7-01"})
        assert collector.named(ROUTE).parent_id == ""

    async def test_without_a_trace_are_traced_as_often_as_is_wanted(self, collector: Collector) -> None:
        await get(collector, FakePlatform([LISTS]), {}, {}, trace_sampling=0)
        await get(collector, FakePlatform([LISTS]), {"traceparent": SAMPLED}, trace_sampling=0)
        assert len([span for span in collector.spans if span.kind == SERVER]) == 1

    async def test_that_fail_say_with_which_code(self, collector: Collector) -> None:
        await get(collector, FakePlatform([xml_reply("", status=500)]), {})
        server, call = collector.named(ROUTE), collector.named("lists.list")
        assert (server.error, call.error) == ("upstream_error", "upstream_error")
        assert server.attributes["umail.problem"] == "upstream_error"
        assert call.attributes["http.response.status_code"] == 500

    async def test_that_are_refused_are_no_errors_of_the_gateway(self, collector: Collector) -> None:
        await get(collector, FakePlatform([LISTS]), {"Authorization": "Bearer umg_wrong"})
        server = collector.named("GET unmatched")
        assert server.error is None
        assert "umail.tenant" not in server.attributes

    async def test_give_their_log_lines_their_identifiers(self, collector: Collector, log: io.StringIO) -> None:
        odd = xml_reply("<maillist><odd>1</odd></maillist>")
        await get(collector, FakePlatform([odd]), {}, {"traceparent": NOT_SAMPLED})
        server = collector.named(ROUTE)
        traced, untraced = lines(log, "request")
        for line in (traced, *lines(log, "upstream_drift")):
            assert (line["trace_id"], line["span_id"]) == (server.trace_id, server.span_id)
            assert line["request_id"] == server.attributes["umail.request_id"]
        assert "trace_id" not in untraced


class TestPolicies:
    async def test_tries_are_spans_and_waits_between_them_are_told(self, collector: Collector) -> None:
        busy = xml_reply("", status=503)
        await get(collector, FakePlatform([busy, LISTS]), {}, retry_attempts=2, retry_base=0.05)
        first, second = [span for span in collector.spans if span.kind == CLIENT]
        assert [first.attributes["umail.attempt"], second.attributes["umail.attempt"]] == [1, 2]
        assert [first.error, second.error] == ["upstream_error", None]
        ((name, event),) = collector.named(ROUTE).events
        assert (name, event["umail.operation"], event["umail.outcome"]) == ("retry", "lists.list", "upstream_error")
        assert 0 <= event["umail.wait_seconds"] <= 0.05
        assert second.start - first.end >= event["umail.wait_seconds"]

    async def test_reads_say_where_their_answer_came_from(self, collector: Collector) -> None:
        await get(collector, FakePlatform([LISTS]), {}, {}, {}, cache_lifetimes={"*": 60})
        servers = [span for span in collector.spans if span.kind == SERVER]
        assert [span.attributes["umail.cache"] for span in servers] == ["miss", "hit", "hit"]

    async def test_cached_answers_are_logged_with_their_trace(self, collector: Collector, log: io.StringIO) -> None:
        found = await get(collector, FakePlatform([LISTS]), *[{}] * 5, cache_lifetimes={"*": 60})
        servers = {span.span_id: span for span in collector.spans if span.kind == SERVER}
        assert [span.attributes["umail.cache"] for span in servers.values()] == ["miss", *["hit"] * 4]
        assert not any(each.headers["traceparent"].endswith("-00") for each in found)
        logged = lines(log, "request")
        assert [(line["trace_id"], line["span_id"]) for line in logged] == [
            (span.trace_id, span.span_id) for span in servers.values()
        ]

    @pytest.mark.parametrize(
        ("limits", "settings", "reply", "reason"),
        [
            (Limits(requests_per_minute=1), {}, LISTS, "tenant_limit"),
            (Limits(), {"breaker_minimum_calls": 1}, xml_reply("", status=500), "breaker"),
            (Limits(), {"login_refusals": 1}, xml_reply("", status=401), "login"),
        ],
    )
    async def test_refusals_say_why(
        self, collector: Collector, limits: Limits, settings: dict[str, Any], reply: httpx2.Response, reason: str
    ) -> None:
        await get(collector, FakePlatform([reply]), {}, {}, tenant=make_tenant(limits=limits), **settings)
        _, refused = [span for span in collector.spans if span.kind == SERVER]
        assert refused.events == [("refused", {"umail.reason": reason})]
        assert len([span for span in collector.spans if span.kind == CLIENT]) == 1

    async def test_waits_for_a_slot_are_spans(self, collector: Collector) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        class Slow(httpx2.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                begun.set()
                await go_on.wait()
                return LISTS

        tenant = make_tenant(limits=Limits(concurrency=1))
        app = make_app([tenant], Slow(), otlp_endpoint=collector.url, queue_wait=30)
        async with client_of(app) as client:
            first = asyncio.create_task(client.get("/v1/lists"))
            await begun.wait()
            second = asyncio.create_task(client.get("/v1/domains", headers={"traceparent": SAMPLED}))
            while not await waiting_calls(client):
                pass
            go_on.set()
            await asyncio.gather(first, second)
        wait = collector.named("wait for a slot")
        assert (wait.kind, wait.trace_id, wait.attributes) == (INTERNAL, TRACE_ID, {"umail.slot": "tenant"})
        (call,) = [span for span in collector.spans if span.kind == CLIENT and span.trace_id == TRACE_ID]
        assert wait.end <= call.start

    async def test_idempotency_keys_say_what_became_of_them(self, collector: Collector) -> None:
        app = make_app([make_tenant()], FakePlatform([CREATED]).transport, otlp_endpoint=collector.url)
        async with client_of(app) as client:
            for name in ("A", "A"):
                await client.post("/v1/lists", json={"name": name}, headers={"Idempotency-Key": "one"})
            await client.post("/v1/templates", json={"name": "A"}, headers={"Idempotency-Key": "one"})
            text = (await client.get("/metrics")).text
        events = [event for span in collector.spans if span.kind == SERVER for event in span.events]
        assert events == [
            ("idempotency key", {"umail.outcome": outcome}) for outcome in ("first", "replayed", "reused")
        ]
        assert [
            total(text, "umail_gateway_idempotency_total", outcome=each[1]["umail.outcome"]) for each in events
        ] == [*(1, 1, 1)]

    async def test_submissions_to_a_relay_are_spans(self, collector: Collector) -> None:
        app = make_app([make_tenant(smtp=make_smtp(unused_port()))], otlp_endpoint=collector.url)
        message = {"from": {"email": "a@example.com"}, "to": [{"email": "b@example.com"}], "subject": "s", "text": "t"}
        async with client_of(app) as client:
            await client.post("/v1/messages", json=message)
        submission = collector.named("messages.submit")
        assert (submission.kind, submission.error) == (CLIENT, "upstream_unavailable")
        assert submission.parent_id == collector.named("POST /v1/messages").span_id


class TestSecrets:
    async def test_of_queries_and_headers_stay_here(self, collector: Collector, log: io.StringIO) -> None:
        secret = "TenantCanary:91c2+/%'ü"
        account = UpstreamAccount(base_url=BASE_URL, auth="legacy", username="acme", password=SecretStr(secret))
        refusal = xml_reply(
            f"<result><status>error</status><data>{hashlib.md5(secret.encode()).hexdigest()}</data></result>"
        )
        platform = FakePlatform([refusal])
        await get(
            collector, platform, {}, tenant=make_tenant(upstream=account), otlp_headers="authorization=HeaderCanary1"
        )

        assert hashlib.md5(secret.encode()).hexdigest() in str(platform.requests[0].url)
        assert "authorization: headercanary1" in collector.heads[0].lower()
        collector.named("lists.list")
        for form in forms(secret) | {"HeaderCanary1"}:
            assert all(form.encode() not in body for body in collector.bodies)
            assert form not in log.getvalue()

    def test_of_urls_are_cut_off(self) -> None:
        url = "https://user:password@platform.example:8443/mm-ms/api/x.php?username=a&password=b#c"
        assert without_secrets(url) == "https://platform.example:8443/mm-ms/api/x.php"

    async def test_the_frameworks_own_traces_stay_off(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        async with client_of(make_app([make_tenant()], FakePlatform([LISTS]).transport)) as client:
            await client.get("/v1/lists?page=1")
        assert collector.heads == []


class TestCollectors:
    async def test_that_fail_fail_nobody(self, collector: Collector, log: io.StringIO) -> None:
        collector.status = 400
        (response,) = await get(collector, FakePlatform([LISTS]), {}, otlp_headers="x-token=HeaderCanary1")
        assert response.status_code == 200
        assert len(collector.heads) == 1
        assert "Failed to export" in log.getvalue()
        assert "HeaderCanary1" not in log.getvalue()

    async def test_that_hang_hold_neither_requests_nor_the_end(self, collector: Collector) -> None:
        collector.open.clear()
        tracing = Tracing(span_exporter(collector.url, {}, seconds=0.5), {}, share=1, flush_seconds=0)
        async with tracing.running():
            for _ in range(600):
                context = RequestContext("request", NOT_SAMPLED)
                tracing.begin(context, "GET", None)
                assert context.trace is not None
                context.trace.finished(context, "GET", "/v1/lists", 200, None)
            await collector.until(lambda found: len(found.heads) == 1)
        assert len(collector.heads) == 1

    async def test_are_not_told_of_what_comes_before_or_after(self, collector: Collector) -> None:
        tracing = Tracing(span_exporter(collector.url, {}, seconds=5), {}, share=1)
        before, after = RequestContext("before", NOT_SAMPLED), RequestContext("after", NOT_SAMPLED)
        tracing.begin(before, "GET", None)
        async with tracing.running():
            pass
        tracing.begin(after, "GET", None)
        assert (before.trace, after.trace) == (None, None)


async def test_what_goes_on_after_a_request_is_not_told_to_its_span(collector: Collector, log: io.StringIO) -> None:
    tracing = Tracing(span_exporter(collector.url, {}, seconds=5), {}, share=1)
    async with tracing.running():
        context = RequestContext("request", NOT_SAMPLED)
        tracing.begin(context, "GET", None)
        trace = context.trace
        assert trace is not None
        trace.finished(context, "GET", "/v1/lists", 200, None)
        trace.noted("retry")
        trace.calling("lists.list", 2).ended(UpstreamCall("lists.list", "ok", 200, 0.1, 2))
    server = collector.named(ROUTE)
    assert server.events == []
    assert collector.named("lists.list").parent_id == server.span_id
    assert "ended span" not in log.getvalue()


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    script = (
        "import sys; from tests.support.running import make_app; make_app([]);"
        # The store's client loads what measures, if it is there.
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk.tr', 'opentelemetry.exporter'))])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip() == "[]"
