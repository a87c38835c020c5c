"""What a reply or a request can multiply has a bound, in logs and in memory."""

from structlog.testing import capture_logs

from app.policies.credentials import CredentialGuard
from app.policies.retry import RetryBudget
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.upstream.document import Drift, DriftKind


def test_drift_is_logged_and_remembered_up_to_a_number() -> None:
    observer = TelemetryObserver(Metrics())
    with capture_logs() as lines:
        for number in range(3000):
            observer.drifted("lists.list", frozenset({Drift(DriftKind.UNKNOWN_ELEMENT, f"maillist/{number}")}))
    assert len(observer.seen) == 1000
    assert len(lines) == 1000


def test_methods_nobody_knows_are_one_label() -> None:
    metrics = Metrics()
    for number in range(3000):
        metrics.request_finished(f"X{number}", "unmatched", 405, 0.1)
    assert metrics.render().count(b"umail_gateway_request_duration_seconds_count{") == 1


def test_refused_logins_and_platforms_are_remembered_up_to_a_number() -> None:
    guard, budget = CredentialGuard(), RetryBudget()
    for number in range(12_000):
        guard.refused(f"{number}")
        budget.called(f"http://{number}.example/")
    assert len(guard._refused) == 10_000
    assert len(budget._left) == 1000
