"""Export to a collector by OTLP over HTTP. This module loads the OpenTelemetry SDK."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import requests
from opentelemetry import _logs as api
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter


class FlushDeadline:
    """Tells whether the time for what is left is over; before the end begins it is not."""

    def __init__(self) -> None:
        self._until = inf

    def begin(self, seconds: float) -> None:
        """Begin the end: from now on there are so many seconds."""
        self._until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether nothing is to be sent any more."""
        return time.monotonic() > self._until


def span_exporter(endpoint: str, headers: Mapping[str, str], *, seconds: float) -> SpanExporter:
    return OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        headers=dict(headers),
        timeout=seconds,
        compression=Compression.Gzip,
        session=_session(),
    )


def log_exporter(endpoint: str, headers: Mapping[str, str], *, seconds: float) -> LogRecordExporter:
    """Return what sends log lines; the arguments are those of `span_exporter`, with `/v1/logs` for the path."""
    return OTLPLogExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/logs",
        headers=dict(headers),
        timeout=seconds,
        compression=Compression.Gzip,
        session=_session(),
    )


def _session() -> requests.Session:
    session = requests.Session()
    # No proxy and no password out of the environment or ~/.netrc, of which the settings know nothing.
    session.trust_env = False
    return session


_QUEUE = 4096
_BATCH = 512
_DELAY_SECONDS = 1.0
_SEVERITIES: Mapping[str, SeverityNumber] = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_OWN_FIELDS = frozenset({"event", "level", "timestamp", "trace_id", "span_id"})
"""What has a place of its own in a record."""


class LogExport:
    """A structlog processor that also sends each line to a collector, with the trace it belongs to.

    What the exporters themselves write is left out: a line about a collector that is gone must not make another one.
    """

    def __init__(self, exporter: LogRecordExporter, resource: Mapping[str, str], *, flush_seconds: float = 3) -> None:
        self._ending = FlushDeadline()
        self._exporter = _UntilTheEnd(exporter, self._ending)
        self._resource = Resource.create(dict(resource))
        self._flush_seconds = flush_seconds
        self._logger: api.Logger | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Export while the context is open; leaving it sends what is left, as long as that may take."""
        processor = BatchLogRecordProcessor(
            self._exporter,
            schedule_delay_millis=_DELAY_SECONDS * 1000,
            max_export_batch_size=_BATCH,
            max_queue_size=_QUEUE,
        )
        provider = LoggerProvider(resource=self._resource, shutdown_on_exit=False)
        provider.add_log_record_processor(processor)
        self._logger = provider.get_logger("umail-gateway")
        try:
            yield
        finally:
            self._logger = None
            self._ending.begin(self._flush_seconds)
            await asyncio.to_thread(processor.shutdown)

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        """Send a line, and return it as it came."""
        if self._logger is not None and not _is_the_exporters(event):
            self._logger.emit(
                timestamp=time.time_ns(),
                context=_trace_of(event),
                severity_number=_SEVERITIES.get(event.get("level", "info"), SeverityNumber.INFO),
                severity_text=event.get("level"),
                body=str(event.get("event")),
                attributes={name: _plain(value) for name, value in event.items() if _belongs(name, value)},
            )
        return event


class _UntilTheEnd(LogRecordExporter):
    def __init__(self, exporter: LogRecordExporter, ending: FlushDeadline) -> None:
        self._exporter = exporter
        self._ending = ending

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return LogRecordExportResult.FAILURE if self._ending.over else self._exporter.export(batch)

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _is_the_exporters(event: Mapping[str, Any]) -> bool:
    record = event.get("_record")
    return record is not None and record.name.startswith("opentelemetry.")


def _belongs(name: str, value: Any) -> bool:
    return value is not None and not name.startswith("_") and name not in _OWN_FIELDS


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else json.loads(json.dumps(value, default=str))


def _trace_of(event: Mapping[str, Any]) -> Context:
    if "trace_id" not in event:
        return Context()
    found = trace.SpanContext(
        int(event["trace_id"], 16),
        int(event["span_id"], 16),
        is_remote=False,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(found), Context())
