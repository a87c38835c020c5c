"""What counts and traces, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import __version__
from app.policies.shedding import Shedder
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.wiring.policies import Policies
from app.wiring.state import State

if TYPE_CHECKING:
    from app.telemetry.log_export import LogExport
    from app.telemetry.tracing import Tracing

_EXPORT_SECONDS = 5


def build_tracing(settings: Settings) -> Tracing | None:
    """Build what traces requests, if traces go anywhere; otherwise nothing of it is loaded."""
    if settings.otlp_endpoint is None:
        return None
    from app.telemetry.otlp import span_exporter  # noqa: PLC0415 - loads the SDK
    from app.telemetry.tracing import Tracing  # noqa: PLC0415

    exporter = span_exporter(settings.otlp_endpoint, settings.otlp_header_fields(), seconds=_EXPORT_SECONDS)
    return Tracing(exporter, _resource(), share=settings.trace_sampling)


def build_log_export(settings: Settings) -> LogExport | None:
    """Build what sends log lines to a collector, if that is wanted; otherwise nothing of it is loaded."""
    if settings.otlp_endpoint is None or not settings.otlp_logs:
        return None
    from app.telemetry.log_export import LogExport  # noqa: PLC0415 - loads the SDK
    from app.telemetry.otlp import log_exporter  # noqa: PLC0415

    exporter = log_exporter(settings.otlp_endpoint, settings.otlp_header_fields(), seconds=_EXPORT_SECONDS)
    return LogExport(exporter, _resource())


def _resource() -> dict[str, str]:
    return {"service.name": "umail-gateway", "service.version": __version__}


def watch(metrics: Metrics, shedder: Shedder, policies: Policies, state: State) -> None:
    """Have the gauges show what is counted where it happens."""

    def sample() -> None:
        metrics.requests_in_progress(shedder.under_way)
        for which in ("tenant", "upstream"):
            metrics.slots(which, *policies.bulkheads.standing(which))
        metrics.breakers_open(policies.breakers.refusing())
        kept = state.answers.usage()
        metrics.cache_size(kept.entries, kept.size, kept.evicted)

    metrics.sample_with(sample)
