"""Sending to a collector by OTLP over HTTP. This module loads the OpenTelemetry SDK."""

from collections.abc import Mapping

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.trace.export import SpanExporter


def span_exporter(endpoint: str, headers: Mapping[str, str], *, seconds: float) -> SpanExporter:
    """Return what sends spans.

    Args:
        endpoint: the collector's URL, without `/v1/traces`.
        headers: what goes with each request.
        seconds: how long one may take, with its repetitions.
    """
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
