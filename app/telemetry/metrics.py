"""Prometheus metrics of one gateway process.

Labels are bounded: routes and operations are fixed sets, and nothing a caller or the platform writes becomes a label.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "umail_gateway_request_duration_seconds",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._aborted = Counter(
            "umail_gateway_responses_aborted",
            "Answers that broke off after they had begun, by route and reason.",
            ["route", "code"],
            registry=self._registry,
        )
        self._upstream = Histogram(
            "umail_gateway_upstream_duration_seconds",
            "Calls to the platform by operation and outcome.",
            ["operation", "outcome"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._drift = Counter(
            "umail_gateway_upstream_drift",
            "Deviations of the platform's replies from the expected form, by operation and kind.",
            ["operation", "kind"],
            registry=self._registry,
        )

    def response_aborted(self, route: str, code: str) -> None:
        """Count one answer that broke off after it had begun; `request_finished` has counted its status."""
        self._aborted.labels(route, code).inc()

    def request_finished(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; methods outside HTTP's own become `other`."""
        known = method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} else "other"
        self._requests.labels(known, route, str(status)).observe(seconds)

    def upstream_finished(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one call to the platform."""
        self._upstream.labels(operation, outcome).observe(seconds)

    def drifted(self, operation: str, kind: str) -> None:
        """Count one deviation."""
        self._drift.labels(operation, kind).inc()

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)
