"""An OTLP collector on loopback, which keeps what it is sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.support.servers import read_request, serving


@dataclass(frozen=True)
class Span:
    """A span, its attributes and events as Python has them; identifiers in hex, times in seconds."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start: float
    end: float
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    error: str | None
    resource: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class Line:
    """A log line: its text, severity, fields and trace, as far as it has one."""

    text: str
    severity: int
    attributes: dict[str, Any]
    trace_id: str
    span_id: str


@dataclass
class Collector:
    """What has come so far.

    Args:
        url: the collector's address.
        status: what it answers with.
        open: it answers while this is set.
    """

    url: str = ""
    status: int = 200
    open: asyncio.Event = field(default_factory=asyncio.Event)
    spans: list[Span] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, wanted: Callable[["Collector"], bool]) -> None:
        """Wait until what has come is what is wanted."""
        async with self._news:
            await self._news.wait_for(lambda: wanted(self))

    def named(self, name: str) -> Span:
        """Return the one span of a name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take requests of one connection."""
        while True:
            head, _, body = (await read_request(reader)).partition(b"\r\n\r\n")
            async with self._news:
                self._take(head.decode("latin-1"), gzip.decompress(body))
                self._news.notify_all()
            await self.open.wait()
            writer.write(b"HTTP/1.1 %d Done\r\nContent-Length: 0\r\n\r\n" % self.status)

    def _take(self, head: str, body: bytes) -> None:
        self.heads.append(head)
        self.bodies.append(body)
        if head.startswith("POST /v1/traces "):
            self.spans += _spans(body)
        else:
            self.lines += _lines(body)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector."""
    collector = Collector()
    collector.open.set()
    async with serving(collector.answer) as url:
        collector.url = url.removesuffix("/mm-ms/apinew/")
        yield collector


def _spans(body: bytes) -> Iterable[Span]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _plain(group.resource.attributes)
        for span in (each for scope in group.scope_spans for each in scope.spans):
            yield Span(
                span.name,
                span.kind,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.start_time_unix_nano / 1e9,
                span.end_time_unix_nano / 1e9,
                _plain(span.attributes),
                [(event.name, _plain(event.attributes)) for event in span.events],
                span.status.message if span.status.code == 2 else None,
                resource,
            )


def _lines(body: bytes) -> Iterable[Line]:
    for group in ExportLogsServiceRequest.FromString(body).resource_logs:
        for record in (each for scope in group.scope_logs for each in scope.log_records):
            text, attributes = record.body.string_value, _plain(record.attributes)
            yield Line(text, record.severity_number, attributes, record.trace_id.hex(), record.span_id.hex())


def _plain(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}
