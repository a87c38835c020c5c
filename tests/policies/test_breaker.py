"""Circuit breakers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.breaker import BreakerPolicy, CallHealth, CircuitBreaker, CircuitState, Snapshot
from tests.support.breakers import POLICY, Changes, admitted, call, opened, refused
from tests.support.clocks import Clock


@pytest.fixture
def breaker(clock: Clock, changes: Changes) -> CircuitBreaker:
    return CircuitBreaker(POLICY, clock, changes)


class TestClosed:
    def test_calls_pass_whatever_they_end_in_until_there_are_enough(self, breaker: CircuitBreaker) -> None:
        call(breaker, CallHealth.BAD, times=3)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 3, 3, None)

    def test_enough_failures_open_it(self, breaker: CircuitBreaker, changes: Changes) -> None:
        opened(breaker)
        assert breaker.snapshot().state is CircuitState.OPEN
        assert changes.seen == [(CircuitState.CLOSED, CircuitState.OPEN)]

    def test_a_share_of_failures_opens_it(self, breaker: CircuitBreaker) -> None:
        call(breaker, CallHealth.GOOD, times=6)
        call(breaker, CallHealth.BAD, times=5)
        assert breaker.snapshot().state is CircuitState.CLOSED
        call(breaker, CallHealth.BAD)
        assert breaker.snapshot().state is CircuitState.OPEN

    def test_a_success_never_opens_it(self, breaker: CircuitBreaker) -> None:
        call(breaker, CallHealth.BAD, times=3)
        call(breaker, CallHealth.GOOD)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 4, 3, None)

    def test_slow_calls_have_failed(self, breaker: CircuitBreaker) -> None:
        call(breaker, CallHealth.GOOD, 9.99, times=4)
        assert breaker.snapshot().failures == 0
        call(breaker, CallHealth.GOOD, 10.0, times=2)
        call(breaker, CallHealth.UNKNOWN, 10.0, times=2)
        assert breaker.snapshot().state is CircuitState.OPEN

    def test_calls_without_a_verdict_are_not_counted(self, breaker: CircuitBreaker) -> None:
        call(breaker, CallHealth.UNKNOWN, times=9)
        with admitted(breaker):
            pass
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 0, 0, None)

    def test_only_the_first_verdict_counts(self, breaker: CircuitBreaker) -> None:
        with admitted(breaker) as admission:
            admission.done(CallHealth.BAD, 0.1)
            admission.done(CallHealth.BAD, 0.1)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 1, 1, None)

    def test_an_error_passes_through(self, breaker: CircuitBreaker) -> None:
        with pytest.raises(KeyError), admitted(breaker):
            raise KeyError
        assert breaker.snapshot().calls == 0

    def test_calls_leave_the_window(self, breaker: CircuitBreaker, clock: Clock) -> None:
        call(breaker, CallHealth.BAD, times=3)
        clock.now += 26.0
        call(breaker, CallHealth.GOOD)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 4, 3, None)
        clock.now += 4.0
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 1, 0, None)
        call(breaker, CallHealth.BAD, times=2)
        assert breaker.snapshot().state is CircuitState.CLOSED
        call(breaker, CallHealth.BAD)
        assert breaker.snapshot().state is CircuitState.OPEN

    @given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=80))
    def test_the_window_counts_what_is_young_and_nothing_old(self, calls: list[tuple[float, bool]]) -> None:
        clock = Clock(0.0)
        breaker = CircuitBreaker(BreakerPolicy(window=30.0, minimum_calls=1000), clock)
        made: list[tuple[float, bool]] = []
        for pause, failed in calls:
            clock.now += pause
            call(breaker, CallHealth.BAD if failed else CallHealth.GOOD)
            made.append((clock.now, failed))
            snapshot = breaker.snapshot()
            young = [each for when, each in made if when > clock.now - 27.0]
            current = [each for when, each in made if when > clock.now - 30.0]
            assert len(young) <= snapshot.calls <= len(current)
            assert sum(young) <= snapshot.failures <= sum(current)


class TestOpen:
    def test_calls_are_refused_and_told_how_long(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        assert refused(breaker) == 15.0
        clock.now += 14.0
        assert refused(breaker) == 1.0
        assert breaker.snapshot() == Snapshot(CircuitState.OPEN, 0, 0, 1.0)

    def test_late_verdicts_are_not_heard(self, breaker: CircuitBreaker, changes: Changes) -> None:
        late = [breaker.admit() for _ in range(9)]
        opened(breaker)
        for admission in late:
            admission.done(CallHealth.BAD, 0.1)
        assert changes.seen == [(CircuitState.CLOSED, CircuitState.OPEN)]
        assert breaker.snapshot() == Snapshot(CircuitState.OPEN, 0, 0, 15.0)

    def test_time_alone_changes_nothing(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        clock.now += 1000.0
        assert breaker.snapshot() == Snapshot(CircuitState.OPEN, 0, 0, 0.0)


class TestHalfOpen:
    def test_one_call_at_a_time_passes(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        clock.now += 15.0
        with admitted(breaker):
            assert breaker.snapshot().state is CircuitState.HALF_OPEN
            assert refused(breaker) == 1.0
            assert breaker.snapshot() == Snapshot(CircuitState.HALF_OPEN, 0, 0, None)

    def test_a_probe_that_succeeds_closes_it(self, breaker: CircuitBreaker, clock: Clock, changes: Changes) -> None:
        opened(breaker)
        clock.now += 15.0
        call(breaker, CallHealth.GOOD)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 0, 0, None)
        assert changes.seen == [
            (CircuitState.CLOSED, CircuitState.OPEN),
            (CircuitState.OPEN, CircuitState.HALF_OPEN),
            (CircuitState.HALF_OPEN, CircuitState.CLOSED),
        ]

    def test_a_probe_without_a_verdict_leaves_the_next_its_turn(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        clock.now += 15.0
        with pytest.raises(KeyError), admitted(breaker):
            raise KeyError
        assert breaker.snapshot().state is CircuitState.HALF_OPEN
        with admitted(breaker):
            refused(breaker)
        call(breaker, CallHealth.GOOD)
        assert breaker.snapshot().state is CircuitState.CLOSED

    def test_a_verdict_twice_does_not_free_the_next_probe(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        clock.now += 15.0
        with admitted(breaker) as first:
            first.done(CallHealth.UNKNOWN, 0.1)
            with admitted(breaker):
                first.done(CallHealth.GOOD, 0.1)
                assert breaker.snapshot().state is CircuitState.HALF_OPEN
                refused(breaker)

    @pytest.mark.parametrize("verdict", CallHealth)
    def test_verdicts_from_before_are_not_the_probes(
        self, breaker: CircuitBreaker, clock: Clock, verdict: CallHealth
    ) -> None:
        late = breaker.admit()
        opened(breaker)
        clock.now += 15.0
        with admitted(breaker):
            late.done(verdict, 0.1)
            assert breaker.snapshot().state is CircuitState.HALF_OPEN
            refused(breaker)

    def test_verdicts_from_before_are_not_counted_afterwards(self, breaker: CircuitBreaker, clock: Clock) -> None:
        late = [breaker.admit() for _ in range(9)]
        opened(breaker)
        clock.now += 15.0
        call(breaker, CallHealth.GOOD)
        for admission in late:
            admission.done(CallHealth.BAD, 0.1)
        assert breaker.snapshot() == Snapshot(CircuitState.CLOSED, 0, 0, None)

    def test_the_pause_doubles_up_to_two_minutes_and_starts_anew(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        pauses = []
        for _ in range(6):
            pauses.append(refused(breaker))
            clock.now += pauses[-1]
            call(breaker, CallHealth.BAD)
        assert pauses == [15.0, 30.0, 60.0, 120.0, 120.0, 120.0]
        clock.now += 120.0
        call(breaker, CallHealth.GOOD)
        assert refused(opened(breaker)) == 15.0

    def test_a_pause_longer_than_that_stays_as_it_is(self, clock: Clock) -> None:
        breaker = opened(CircuitBreaker(BreakerPolicy(minimum_calls=4, open_for=300.0), clock))
        clock.now += 300.0
        call(breaker, CallHealth.BAD)
        assert refused(breaker) == 300.0

    def test_a_slow_probe_has_failed(self, breaker: CircuitBreaker, clock: Clock) -> None:
        opened(breaker)
        clock.now += 15.0
        call(breaker, CallHealth.GOOD, 10.0)
        assert refused(breaker) == 30.0
