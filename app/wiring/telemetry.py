"""What counts and traces, as the settings say."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from app.policies.bulkhead import Bulkheads, Shedder
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.wiring.state import State

if TYPE_CHECKING:
    from app.telemetry.tracing import Tracing

_EXPORT_SECONDS = 5


def build_tracing(settings: Settings) -> Tracing | None:
    """Build what traces requests, if traces go anywhere; otherwise nothing of OpenTelemetry is loaded."""
    if settings.otlp_endpoint is None:
        return None
    from app.telemetry.otlp import span_exporter  # noqa: PLC0415 - takes 10 MB and a fifth of a second
    from app.telemetry.tracing import Tracing  # noqa: PLC0415

    return Tracing(
        span_exporter(settings.otlp_endpoint, settings.otlp_header_fields(), seconds=_EXPORT_SECONDS),
        {"service.name": "umail-gateway", "service.version": version("umail-gateway")},
        share=settings.trace_sampling,
    )


def watch(metrics: Metrics, shedder: Shedder, bulkheads: Bulkheads, state: State) -> None:
    """Have the gauges show what is counted where it happens."""

    def sample() -> None:
        metrics.requests_in_progress(shedder.under_way)
        for which in ("tenant", "upstream"):
            metrics.slots(which, *bulkheads.standing(which))
        kept = state.answers.usage()
        metrics.cache_size(kept.entries, kept.size, kept.evicted)

    metrics.sample_with(sample)
