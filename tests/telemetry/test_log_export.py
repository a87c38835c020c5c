"""Log lines at a collector: under their traces, whole, and never about the collector itself."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog

from app.telemetry.logs import configure_logging
from app.telemetry.otlp import LogExport, log_exporter
from app.wiring.edge import build_log_export
from tests.support.collector import Collector, collecting
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app, make_settings
from tests.support.tenants import make_tenant

WARN, ERROR, INFO = 13, 17, 9


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running:
        yield running


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    yield stream
    configure_logging("DEBUG", io.StringIO())


async def test_lines_of_a_request_stand_under_its_trace(collector: Collector, stream: io.StringIO) -> None:
    settings: dict[str, Any] = {"otlp_endpoint": collector.url, "otlp_logs": True}
    export = build_log_export(make_settings(**settings))
    assert export is not None
    configure_logging("INFO", stream, mirror=export)
    app = make_app([make_tenant()], FakePlatform([xml_reply("<maillist></maillist>")]).transport, **settings)
    async with export.running(), client_of(app) as client:
        await client.get("/v1/lists")
    (line,) = [line for line in collector.lines if line.text == "request"]
    server = collector.named("GET /v1/lists")
    assert (line.trace_id, line.span_id, line.severity) == (server.trace_id, server.span_id, INFO)
    assert line.attributes["http.route"] == "/v1/lists"
    assert '"event":"request"' in stream.getvalue()


async def test_lines_of_ours_and_of_libraries_are_sent_with_their_fields(
    collector: Collector, stream: io.StringIO
) -> None:
    export = LogExport(log_exporter(collector.url, {}, seconds=5), {})
    configure_logging("INFO", stream, mirror=export)
    structlog.get_logger("ours").info("before")
    async with export.running():
        structlog.get_logger("ours").warning("happened", name="新闻", nothing=None, many=[1, {"a": 2}])
        logging.getLogger("theirs").error("failed")
        logging.getLogger("opentelemetry.exporter").error("the collector is gone")
    structlog.get_logger("ours").info("after")

    assert [(line.text, line.severity, line.trace_id) for line in collector.lines] == [
        ("happened", WARN, ""),
        ("failed", ERROR, ""),
    ]
    assert collector.lines[0].attributes["name"] == "新闻"
    assert set(collector.lines[0].attributes) == {"name", "many"}
    assert "the collector is gone" in stream.getvalue()


async def test_a_collector_that_hangs_does_not_hold_the_end(collector: Collector, stream: io.StringIO) -> None:
    collector.open.clear()
    export = LogExport(log_exporter(collector.url, {}, seconds=0.5), {}, flush_seconds=0)
    configure_logging("INFO", stream, mirror=export)
    async with export.running():
        for _ in range(600):
            structlog.get_logger("ours").info("happened")
        await collector.until(lambda found: len(found.heads) == 1)
    assert len(collector.heads) == 1


@pytest.mark.parametrize("settings", [{}, {"otlp_logs": True}, {"otlp_endpoint": "http://127.0.0.1:9"}])
def test_lines_stay_here_unless_they_are_wanted_there(settings: dict[str, object]) -> None:
    assert build_log_export(make_settings(**settings)) is None
