"""The request line: what it says, what it leaves out, and how it looks on a terminal."""

import io
import json

import pytest
from structlog.testing import capture_logs

from app.gateway.context import Caller, RequestContext
from app.telemetry.logs import configure_logging
from app.telemetry.observer import AccessLog, Finished, shown_path
from tests.support.tenants import make_tenant

OVER = Finished("GET", "/v1/lists", 200, None, 0.01234, "/v1/lists")


def a_context() -> RequestContext:
    context = RequestContext("order-66", "00-1-2-00")
    context.caller = Caller(make_tenant(), "web", frozenset(), context)
    context.client_address = "192.0.2.7"
    return context


def written(over: Finished, context: RequestContext, **options: object) -> str:
    stream = io.StringIO()
    configure_logging("INFO", stream, **options)  # type: ignore[arg-type]
    AccessLog().write(context, over)
    return stream.getvalue()


def test_the_line_says_who_asked_for_what() -> None:
    line = json.loads(written(OVER, a_context()))
    assert line.pop("timestamp")
    assert line == {
        "request_id": "order-66",
        "traceparent": "00-1-2-00",
        "http.request.method": "GET",
        "http.route": "/v1/lists",
        "url.path": "/v1/lists",
        "http.response.status_code": 200,
        "client.address": "192.0.2.7",
        "error.type": None,
        "reason": None,
        "aborted": None,
        "duration_ms": 12.34,
        "tenant": "acme",
        "key": "web",
        "upstream": [],
        "event": "request",
        "level": "info",
    }


def test_on_a_terminal_it_is_one_short_line() -> None:
    context = a_context()
    context.problem_code, context.refusal = "rate_limited", "tenant_limit"
    line = written(OVER._replace(status=429), context, form="console")
    assert line[8:] == " GET    /v1/lists 429 12 ms acme/web rate_limited: tenant_limit\n"


def test_nothing_in_it_steers_a_terminal() -> None:
    line = written(OVER._replace(path="/v1/\x1b[2J\n"), a_context(), form="console")
    assert "/v1/\\u001b[2J\\u000a 200" in line


@pytest.mark.parametrize("address", ["news@acme.example", "news%40acme.example"])
def test_addresses_are_left_out_of_paths(address: str) -> None:
    assert shown_path(f"/v1/mailboxes/{address}/password") == "/v1/mailboxes/***/password"


def test_it_is_left_out_where_the_level_says_so() -> None:
    stream = io.StringIO()
    configure_logging("WARNING", stream)
    AccessLog().write(a_context(), OVER)
    assert stream.getvalue() == ""


def test_it_goes_where_the_chain_goes_once_that_is_changed() -> None:
    stream = io.StringIO()
    configure_logging("INFO", stream)
    access = AccessLog()
    with capture_logs() as logs:
        access.write(a_context(), OVER)
    assert [line["event"] for line in logs] == ["request"]
    assert stream.getvalue() == ""


def test_a_line_that_cannot_be_written_fails_nobody() -> None:
    stream = io.StringIO()
    configure_logging("INFO", stream)
    stream.close()
    AccessLog().write(a_context(), OVER)
