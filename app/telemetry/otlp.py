"""Export to a collector by OTLP over HTTP. This module loads the OpenTelemetry SDK."""

import time
from collections.abc import Mapping
from math import inf

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExporter
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
    """Return what sends spans."""
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
