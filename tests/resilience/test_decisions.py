"""What is decided after a failure, for every operation: whether to repeat it, and what it says of the platform."""

import pytest

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    UpstreamCredentialsRejected,
    UpstreamFailure,
    UpstreamQuotaExhausted,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.gateway.failures import (
    check_status,
    excused_by_stale,
    health_after,
    is_repeatable,
    may_repeat,
    transport_error,
    unusable,
)
from app.gateway.operation import Effect
from app.policies.breaker import CallHealth
from app.upstream.wire import MaybeSent, NeverSent
from tests.support.operations import AnyOperation, operations

STATUSES = [status for status in range(100, 600) if not 200 <= status < 300]


def status_error(operation: AnyOperation, status: int) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        check_status(operation, status, {})
    return raised.value


def failures(operation: AnyOperation) -> list[GatewayError]:
    """Return every way in which a call can fail."""
    broken = [MaybeSent("broken"), MaybeSent("no reply in time", timed_out=True), NeverSent("cannot connect")]
    return [
        *(transport_error(operation, each) for each in broken),
        *(status_error(operation, each) for each in STATUSES),
        unusable(operation, "not XML"),
        UpstreamRejected("no"),
    ]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
class TestOperation:
    def test_only_what_never_left_or_does_no_harm_twice_is_repeated(self, operation: AnyOperation) -> None:
        for error in failures(operation):
            harmless = isinstance(error, UpstreamUnavailable) or operation.effect in {
                Effect.READ,
                Effect.IDEMPOTENT_WRITE,
            }
            assert harmless or not may_repeat(operation, error), error
        assert may_repeat(operation, transport_error(operation, NeverSent("cannot connect")))

    def test_only_a_passing_trouble_is_repeated(self, operation: AnyOperation) -> None:
        repeated = {status for status in STATUSES if may_repeat(operation, status_error(operation, status))}
        assert repeated == ({429, 502, 503, 504} if is_repeatable(operation) else set())

    def test_a_write_that_may_have_been_carried_out_is_never_called_failed(self, operation: AnyOperation) -> None:
        for status in STATUSES:
            error = status_error(operation, status)
            certain = 400 <= status < 500 and status != 408
            unknown = operation.effect is not Effect.READ and not certain
            assert isinstance(error, OutcomeUnknown) == unknown, status
        for error in (transport_error(operation, MaybeSent("broken")), unusable(operation, "not XML")):
            assert isinstance(error, OutcomeUnknown) == (operation.effect is not Effect.READ)

    def test_an_unknown_outcome_tells_how_to_find_out(self, operation: AnyOperation) -> None:
        for error in failures(operation):
            if isinstance(error, OutcomeUnknown):
                assert operation.find_out
                assert operation.find_out in error.detail

    def test_trouble_counts_against_the_platform_and_refusals_do_not(self, operation: AnyOperation) -> None:
        refusals = (UpstreamRejected, UpstreamQuotaExhausted, UpstreamCredentialsRejected)
        for error in failures(operation):
            expected = CallHealth.GOOD if isinstance(error, refusals) else CallHealth.BAD
            assert health_after(error, status=None, hurried=False) is expected, error

    def test_a_refusal_of_one_request_is_no_trouble(self, operation: AnyOperation) -> None:
        for status in STATUSES:
            expected = CallHealth.GOOD if 400 <= status < 500 else CallHealth.BAD
            assert health_after(status_error(operation, status), status=status, hurried=False) is expected, status

    def test_a_hurried_caller_does_not_close_the_platform_to_others(self, operation: AnyOperation) -> None:
        for timed_out in (NeverSent("x", timed_out=True), MaybeSent("x", timed_out=True)):
            assert health_after(transport_error(operation, timed_out), status=None, hurried=True) is CallHealth.UNKNOWN

    def test_an_unknown_outcome_is_never_covered_up_by_an_older_answer(self, operation: AnyOperation) -> None:
        for error in failures(operation):
            if isinstance(error, OutcomeUnknown | UpstreamRejected | UpstreamCredentialsRejected):
                assert not excused_by_stale(error)


def test_what_is_no_answer_says_nothing_of_the_platform() -> None:
    assert health_after(None, status=200, hurried=False) is CallHealth.GOOD
    assert health_after(KeyboardInterrupt(), status=None, hurried=False) is CallHealth.UNKNOWN


@pytest.mark.parametrize("kind", UpstreamFailure.__subclasses__())
def test_what_is_not_transient_is_not_repeated(kind: type[UpstreamFailure]) -> None:
    for operation in operations():
        assert not may_repeat(operation, kind("once"))
