"""One slow request, explained by its answer, by metrics and by its trace, as the README does it."""

from typing import Any

import httpx2

from app.sandbox import Sandbox
from tests.support.collector import collecting
from tests.support.exposition import total
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 503, "operation": "maillist-list"},
    {"kind": "latency", "delay": 0.4, "operation": "maillist-list"},
]
REQUESTS = "umail_gateway_request_duration_seconds_sum"
CALLS = "umail_gateway_upstream_duration_seconds_sum"
WAITS = "umail_gateway_upstream_backoff_seconds_total"


async def test_where_its_time_went(sandbox: Sandbox) -> None:
    tenant = make_tenant(base_url=sandbox.base_url, password="密码:acme")
    async with collecting() as collector:
        app = make_app([tenant], otlp_endpoint=collector.url, retry_attempts=3)
        async with client_of(app) as client, httpx2.AsyncClient() as operator:
            for fault in FAULTS:
                await operator.post(httpx2.URL(sandbox.base_url).join("/_sandbox/faults"), json=fault)
            response = await client.get("/v1/lists")
            text = (await client.get("/metrics")).text
        assert response.status_code == 200

        whole = total(text, REQUESTS, route="/v1/lists")
        failed = total(text, CALLS, operation="lists.list", outcome="upstream_error")
        slow = total(text, CALLS, operation="lists.list", outcome="ok")
        waited = total(text, WAITS, operation="lists.list")
        assert slow >= 0.4
        assert failed + waited + slow <= whole

        server = collector.named("GET /v1/lists")
        first, second = [span for span in collector.spans if span.parent_id == server.span_id]
        assert response.headers["traceparent"].split("-")[1] == server.trace_id
        assert [each.attributes["http.response.status_code"] for each in (first, second)] == [503, 200]
        assert second.seconds >= 0.4
        assert second.start - first.end >= waited
        assert [name for name, _ in server.events] == ["retry"]
