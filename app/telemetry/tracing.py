"""Traces of requests, exported by OTLP. This module loads the OpenTelemetry SDK: import it only where tracing is on.

Spans are written by hand, in the gateway's own words. What instruments libraries by itself writes whole URLs, and the
platform's carry passwords; so nothing here is registered globally, where libraries would find it.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Token
from urllib.parse import urlsplit

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TraceFlags

from app.gateway.context import RequestContext, UpstreamCall
from app.telemetry.logs import Fields, begin_correlation, end_correlation
from app.telemetry.otlp import FlushDeadline

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_QUEUE = 4096
_BATCH = 512
_DELAY_SECONDS = 1.0

Value = str | float


class Tracing:
    """An `app.telemetry.observer.Tracer` that exports what it traces.

    A collector that is slow or gone costs spans, never time: they wait in a bounded queue for a thread of their own.
    """

    def __init__(
        self, exporter: SpanExporter, resource: Mapping[str, str], *, share: float, flush_seconds: float = 3
    ) -> None:
        self._ending = FlushDeadline()
        self._exporter = _UntilTheEnd(exporter, self._ending)
        self._resource = Resource.create(dict(resource))
        self._sampler = ParentBased(TraceIdRatioBased(share))
        self._flush_seconds = flush_seconds
        self._tracer: api.Tracer | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Trace while the context is open; leaving it sends what is left, as long as that may take."""
        provider = TracerProvider(sampler=self._sampler, resource=self._resource, shutdown_on_exit=False)
        processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=_QUEUE,
            max_export_batch_size=_BATCH,
            schedule_delay_millis=_DELAY_SECONDS * 1000,
        )
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("umail-gateway")
        try:
            yield
        finally:
            self._tracer = None
            self._ending.begin(self._flush_seconds)
            # It waits for the thread, which may be waiting for the collector.
            await asyncio.to_thread(processor.shutdown)

    def begin(self, context: RequestContext, method: str, given: str | None) -> None:
        """Trace a request if its sender does, or, where that says nothing, if the share of traced requests wants it."""
        if self._tracer is None:
            return
        parent = _parent(context.traceparent) if given == context.traceparent else Context()
        span = self._tracer.start_span(method, parent, SpanKind.SERVER)
        if not span.is_recording():
            return
        if not parent:
            context.traceparent = _traceparent(span)
        context.trace = _RequestTrace(self._tracer, span, context.request_id)


class _UntilTheEnd(SpanExporter):
    def __init__(self, exporter: SpanExporter, ending: FlushDeadline) -> None:
        self._exporter = exporter
        self._ending = ending

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE if self._ending.over else self._exporter.export(spans)

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _RequestTrace:
    """An `app.gateway.context.RequestTrace`."""

    def __init__(self, tracer: api.Tracer, span: Span, request_id: str) -> None:
        self._tracer = tracer
        self._span = span
        self._context = api.set_span_in_context(span, Context())
        found = span.get_span_context()
        fields = {
            "request_id": request_id,
            "trace_id": api.format_trace_id(found.trace_id),
            "span_id": api.format_span_id(found.span_id),
        }
        self._correlation: Token[Fields | None] = begin_correlation(fields)

    def noted(self, event: str, **attributes: Value) -> None:
        # What goes on in the background may outlive the request.
        if self._span.is_recording():
            self._span.add_event(event, _named(attributes))

    def spent(self, name: str, seconds: float, **attributes: Value) -> None:
        now = time.time_ns()
        begun = now - int(seconds * 1e9)
        span = self._tracer.start_span(name, self._context, attributes=_named(attributes), start_time=begun)
        span.end(now)

    def calling(self, operation: str, attempt: int) -> "_CallTrace":
        span = self._tracer.start_span(
            operation,
            self._context,
            SpanKind.CLIENT,
            _named({"operation": operation, "attempt": attempt}),
        )
        return _CallTrace(span)

    def finished(self, context: RequestContext, method: str, route: str, status: int, aborted: str | None) -> None:
        span, caller = self._span, context.caller
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                **_named(
                    {
                        "request_id": context.request_id,
                        "tenant": caller.tenant.id if caller else None,
                        "key": caller.key_id if caller else None,
                        "cache": context.cache_outcome,
                        "problem": context.problem_code,
                        "aborted": aborted,
                    }
                ),
            }
        )
        if status >= 500 or status == 0 or aborted:
            span.set_status(Status(StatusCode.ERROR, aborted or context.problem_code or ""))
        span.end()
        end_correlation(self._correlation)


class _CallTrace:
    """An `app.gateway.context.CallTrace`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.traceparent = _traceparent(span)

    def sent(self, method: str, url: str) -> None:
        self._span.set_attributes({"http.request.method": method, "url.full": without_secrets(url)})

    def ended(self, call: UpstreamCall) -> None:
        self._span.set_attributes(_named({"outcome": call.outcome}))
        if call.status is not None:
            self._span.set_attribute("http.response.status_code", call.status)
        if call.outcome != "ok":
            self._span.set_status(Status(StatusCode.ERROR, call.outcome))
        self._span.end()


def without_secrets(url: str) -> str:
    """Return a URL without its query, which may hold passwords, and without a login."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {f"umail.{name}": value for name, value in attributes.items() if value is not None}


def _parent(traceparent: str) -> Context:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return Context()
    trace_id, span_id, flags = (int(each, 16) for each in found.groups())
    remote = api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return api.set_span_in_context(api.NonRecordingSpan(remote), Context())


def _traceparent(span: Span) -> str:
    found = span.get_span_context()
    flags = f"{found.trace_flags:02x}"
    return f"00-{api.format_trace_id(found.trace_id)}-{api.format_span_id(found.span_id)}-{flags}"
