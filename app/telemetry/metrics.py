"""Prometheus metrics of a gateway process, or of several that are asked as one.

Labels are bounded: routes and operations are fixed sets, a number of tenants have their own, and nothing a caller or
the platform writes becomes a label.
"""

import os
import platform
from collections.abc import Callable
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app import __version__
from app.telemetry.workers import Processes, Workers

Metric = TypeVar("Metric", Counter, Histogram)

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FEW_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 30)
_WAITS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, *, tenants: int = 50, workers: Workers | None = None) -> None:
        self._registry = CollectorRegistry()
        self._tenants = TenantLabels(tenants, workers)
        self._children: dict[tuple[Any, ...], Any] = {}
        self._samplers: list[Callable[[], None]] = []
        self._evicted = 0
        self._requests = self._histogram(
            "request_duration_seconds", "Requests by method, route and status.", "method", "route", "status"
        )
        self._tenant_requests = self._histogram(
            "tenant_request_duration_seconds",
            "Requests with a key by tenant and class of status; tenants beyond a number are `other`.",
            *("tenant", "status"),
            buckets=_FEW_BUCKETS,
        )
        self._in_progress = self._gauge("requests_in_progress", "Requests under /v1 under way.")
        self._aborted = self._counter(
            "responses_aborted", "Answers that broke off after they had begun, by route and reason.", "route", "code"
        )
        self._upstream = self._histogram(
            "upstream_duration_seconds",
            "Calls to the platform by operation and outcome, each try by itself.",
            *("operation", "outcome"),
        )
        self._drift = self._counter(
            "upstream_drift",
            "Deviations of the platform's replies from the expected form, by operation and kind.",
            *("operation", "kind"),
        )
        self._retries = self._counter("upstream_retries", "Tries after the first, by operation.", "operation")
        self._backoff = self._counter(
            "upstream_backoff_seconds", "Seconds that calls waited before another try, by operation.", "operation"
        )
        self._slots = self._gauge(
            "slots_in_use", "Calls to the platform that hold a slot, of their tenant's and of the platform's.", "which"
        )
        self._queue = self._gauge("slots_waiting", "Calls that wait for a slot.", "which")
        self._waits = self._histogram(
            "slot_wait_seconds",
            "Waits for a slot by whose it was; calls that find one free are not counted.",
            "which",
            buckets=_WAITS,
        )
        self._cache = self._counter("cache_lookups", "Reads by where their answer came from.", "outcome")
        self._cache_bytes = self._gauge("cache_bytes", "Memory of the answers kept in the processes.")
        self._cache_entries = self._gauge("cache_entries", "Answers kept in the processes.")
        self._evictions = self._counter("cache_evictions", "Answers that had to make room for others.")
        self._idempotency = self._counter(
            "idempotency", "Requests with an idempotency key, by what became of the key.", "outcome"
        )
        self._state_failures = self._counter(
            "state_failures", "Uses of the state store that failed, by what was wanted of it.", "action"
        )
        self._database = self._histogram(
            "database_duration_seconds",
            "Transactions of the journal, of keys and events, by kind and outcome, waiting included.",
            *("kind", "outcome"),
            buckets=_WAITS,
        )
        self._audit_failures = self._counter("audit_failures", "Entries of the audit log that could not be written.")
        self._breaker_changes = self._counter(
            "breaker_changes", "Changes of circuit breakers, by the state they came into.", "state"
        )
        self._breakers_open = self._gauge(
            "breakers_open",
            "Platforms that are being left alone, or tried with one call at a time.",
            # Each process has its own breakers, often of the same platforms.
            mode="livemax",
        )
        self._refused = self._counter(
            "refused", "Requests and calls that were refused to keep the gateway within bounds, by reason.", "reason"
        )
        self._events = self._counter("events", "Events added to the tenants' logs by watchers, by type.", "type")
        self._deliveries = self._counter(
            "webhook_attempts", "Attempts to deliver an event to a webhook, by what they came to.", "outcome"
        )
        self._delivery_lag = self._histogram(
            "webhook_lag_seconds", "From an event to its delivery to a webhook.", buckets=_FEW_BUCKETS
        )
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop comes to what is due.", buckets=_LAGS
        )
        self._build = self._gauge("build_info", "Always 1.", "version", "python", mode="livemax")
        self._build.labels(__version__, platform.python_version()).set(1)
        self._exposed = self._registry
        if workers is not None:
            # What this process has counted is in its files, like what the others have.
            self._exposed = CollectorRegistry()
            self._exposed.register(workers)
        self._exposed.register(Processes(workers.living if workers else lambda: [os.getpid()]))

    def retried(self, operation: str) -> None:
        """Count a try after the first."""
        self._child(self._retries, operation).inc()

    def backed_off(self, operation: str, seconds: float) -> None:
        """Count the time before another try."""
        self._child(self._backoff, operation).inc(seconds)

    def waited(self, which: str, seconds: float) -> None:
        """Count a wait for a slot: the `tenant`'s or the `upstream`'s."""
        self._child(self._waits, which).observe(seconds)

    def looked_up(self, outcome: str) -> None:
        """Count a read by where its answer came from."""
        self._child(self._cache, outcome).inc()

    def lookups(self) -> dict[str, float]:
        """Return how many reads this process has answered, by where their answers came from."""
        samples = (sample for metric in self._cache.collect() for sample in metric.samples)
        return {each.labels["outcome"]: each.value for each in samples if each.name.endswith("_total")}

    def claimed(self, outcome: str) -> None:
        """Count a request with an idempotency key: `first`, `replayed`, `in_progress`, `reused`, and so on."""
        self._child(self._idempotency, outcome).inc()

    def state_failed(self, action: str) -> None:
        """Count a failed use of the state store."""
        self._child(self._state_failures, action).inc()

    def database_used(self, kind: str, seconds: float, done: bool) -> None:
        """Count a transaction: a `read` or a `write`, and whether it could be carried out."""
        self._child(self._database, kind, "ok" if done else "failed").observe(seconds)

    def audit_failed(self) -> None:
        """Count an entry of the audit log that is lost."""
        self._audit_failures.inc()

    def breaker_changed(self, state: str) -> None:
        """Count a circuit breaker's change."""
        self._child(self._breaker_changes, state).inc()

    def breakers_open(self, number: int) -> None:
        """Set the number of circuit breakers that are not closed."""
        self._breakers_open.set(number)

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self._child(self._refused, reason).inc()

    def event_told(self, type_: str) -> None:
        """Count an event."""
        self._child(self._events, type_).inc()

    def delivered(self, outcome: str, seconds: float) -> None:
        """Count an attempt to deliver an event; a success also by how long after the event it came."""
        self._child(self._deliveries, outcome).inc()
        if outcome == "delivered":
            self._delivery_lag.observe(seconds)

    def response_aborted(self, route: str, code: str) -> None:
        """Count one answer that broke off after it had begun; `request_finished` has counted its status."""
        self._child(self._aborted, route, code).inc()

    def request_finished(self, method: str, route: str, status: int, seconds: float, tenant: str | None = None) -> None:
        """Count one request; methods outside HTTP's own become `other`."""
        known = method if method in _METHODS else "other"
        self._child(self._requests, known, route, str(status)).observe(seconds)
        if tenant is not None:
            label = self._tenants.of(tenant)
            self._child(self._tenant_requests, label, _CLASSES[status // 100]).observe(seconds)

    def upstream_finished(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one call to the platform."""
        self._child(self._upstream, operation, outcome).observe(seconds)

    def drifted(self, operation: str, kind: str) -> None:
        """Count one deviation."""
        self._child(self._drift, operation, kind).inc()

    def loop_lagged(self, seconds: float) -> None:
        """Count how late the event loop came."""
        self._loop_lag.observe(seconds)

    def requests_in_progress(self, number: int) -> None:
        """Set the number of requests under way."""
        self._in_progress.set(number)

    def slots(self, which: str, in_use: int, waiting: int) -> None:
        """Set how many calls hold a slot, and how many wait for one: the `tenant`'s or the `upstream`'s."""
        self._slots.labels(which).set(in_use)
        self._queue.labels(which).set(waiting)

    def cache_size(self, entries: int, used: int, evicted: int) -> None:
        """Set how many answers are kept, in how many bytes, and how many have made room for others so far."""
        self._cache_entries.set(entries)
        self._cache_bytes.set(used)
        self._evictions.inc(evicted - self._evicted)
        self._evicted = evicted

    def sample_with(self, sampler: Callable[[], None]) -> None:
        """Call `sampler` whenever gauges are to be set to what they are at the moment."""
        self._samplers.append(sampler)

    def sample(self) -> None:
        """Set the gauges to what there is now."""
        for sampler in self._samplers:
            sampler()

    def render(self) -> bytes:
        """Return the exposition text, of all workers together; `sample` is to be called before.

        With many series this takes a while: it may be done in another thread.
        """
        return generate_latest(self._exposed)

    def _child(self, metric: Metric, *labels: str) -> Metric:
        """Return a metric's child; the library takes a lock to find it."""
        key = (metric, *labels)
        child: Metric | None = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"umail_gateway_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = _BUCKETS) -> Histogram:
        return Histogram(f"umail_gateway_{name}", text, labels, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: Any = "livesum") -> Gauge:
        return Gauge(f"umail_gateway_{name}", text, labels, multiprocess_mode=mode, registry=self._registry)


OTHER = "other"
_TENANTS_FILE = "tenants"


class TenantLabels:
    """Labels tenants: the first ones seen by their ids, the same ones in all workers; the rest `other`."""

    def __init__(self, most: int, workers: Workers | None = None) -> None:
        self._most = most
        self._workers = workers
        self._own: set[str] = set()

    def of(self, tenant: str) -> str:
        """Return a tenant's label."""
        if tenant not in self._own and len(self._own) < self._most:
            self._take(tenant)
        return tenant if tenant in self._own else OTHER

    def _take(self, tenant: str) -> None:
        if self._workers is None:
            self._own.add(tenant)
            return
        with self._workers.shared_list(_TENANTS_FILE) as file:
            self._own.update(file.read().split())
            if len(self._own) < self._most and tenant not in self._own:
                file.write(f"{tenant}\n")
                self._own.add(tenant)
