"""The policies around every call, as the settings say."""

from dataclasses import dataclass

from app.gateway.admission import Admission, Attempts
from app.gateway.call import Waits
from app.gateway.operation import DeadlineClass
from app.policies.breaker import BreakerPolicy
from app.policies.breakers import Breakers
from app.policies.bulkheads import Bulkheads
from app.policies.credentials import CredentialGuard
from app.policies.limits.campaigns import CampaignQuota
from app.policies.retry import Retrier, RetryBudget, RetryPolicy
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.master_keys import Fingerprints


@dataclass(frozen=True, slots=True)
class Policies:
    """What decides whether and how often a call is made.

    Args:
        attempts: carries calls out.
        breakers: one for each platform and each login.
        bulkheads: calls at once.
        waits: how long calls may take.
    """

    attempts: Attempts
    breakers: Breakers
    bulkheads: Bulkheads
    waits: Waits


def build_policies(
    settings: Settings, metrics: Metrics, fingerprints: Fingerprints, campaigns: CampaignQuota
) -> Policies:
    """Build what stands between a wish and the platform."""
    observer = TelemetryObserver(metrics)
    breakers = Breakers(
        BreakerPolicy(
            window=settings.breaker_window,
            minimum_calls=settings.breaker_minimum_calls,
            failure_ratio=settings.breaker_failure_ratio,
            slow_call=settings.breaker_slow_call,
            open_for=settings.breaker_open_for,
        ),
        on_change=observer.breaker_changed,
    )
    admission = Admission(
        credentials=CredentialGuard(refusals=settings.login_refusals, pause=settings.login_pause),
        bulkheads=Bulkheads(
            upstream_limit=settings.upstream_connections,
            export_share=settings.export_share,
            queue=settings.queue_length,
            wait=settings.queue_wait,
        ),
        breakers=breakers,
        campaigns=campaigns,
        fingerprints=fingerprints,
        observer=observer,
    )
    policy = RetryPolicy(attempts=settings.retry_attempts, base=settings.retry_base, cap=settings.retry_cap)
    retrier = Retrier(policy, budget=RetryBudget(ratio=settings.retry_budget))
    attempts = Attempts(admission, retrier)
    return Policies(attempts, breakers, admission.bulkheads, build_waits(settings))


def build_waits(settings: Settings) -> Waits:
    """Return how long calls may take."""
    return Waits(
        settings.connect_timeout,
        {
            DeadlineClass.INTERACTIVE: settings.interactive_timeout,
            DeadlineClass.WRITE: settings.write_timeout,
            DeadlineClass.EXPORT: settings.export_timeout,
            DeadlineClass.UPLOAD: settings.upload_timeout,
        },
    )
