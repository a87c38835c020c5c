"""When the shared store may be used."""

from hypothesis import given
from hypothesis import strategies as st

from app.policies.cache.health import Health
from tests.policies.cache.conftest import Clock


def make_health() -> tuple[Health, Clock]:
    """Return the health of a store that is up."""
    clock = Clock()
    health = Health(clock)
    health.reached(health.moment)
    health.made_up(health.moment)
    assert health.up
    return health, clock


class TestHealth:
    def test_a_failure_is_forgotten_once_the_store_has_been_reached(self) -> None:
        health, clock = make_health()
        health.failed()
        assert (health.up, health.reachable, health.distrusted) == (False, False, False)
        assert health.seconds_to_retry() == 0.5
        clock.advance(0.5)
        assert health.seconds_to_retry() <= 0
        health.reached(health.moment)
        health.made_up(health.moment)
        assert health.up

    def test_failures_do_not_put_the_next_attempt_off(self) -> None:
        health, clock = make_health()
        for _ in range(4):
            health.failed()
            health.lost()
            clock.advance(0.125)
        assert health.seconds_to_retry() <= 0

    def test_what_was_missed_during_an_attempt_is_not_made_up_for_by_it(self) -> None:
        health, _ = make_health()
        health.missed()
        since = health.moment
        health.reached(since)
        health.missed()
        health.made_up(since)
        assert (health.reachable, health.up, health.distrusted) == (True, False, True)

    def test_an_attempt_says_nothing_about_a_failure_after_its_beginning(self) -> None:
        health, _ = make_health()
        since = health.moment
        health.failed()
        health.reached(since)
        health.made_up(since)
        assert (health.reachable, health.up) == (False, False)

    def test_what_may_be_another_store_is_used_once_others_have_had_time_to_find_it(self) -> None:
        health, clock = make_health()
        health.lost()
        clock.advance(0.5)
        for _ in range(2):
            health.reached(health.moment)
            health.made_up(health.moment)
            assert (health.reachable, health.up) == (True, False)
            clock.advance(0.75)
        health.made_up(health.moment)
        assert health.up

    def test_so_is_one_that_was_away_for_longer_than_it_remembers_replicas(self) -> None:
        health, clock = make_health()
        health.failed()
        clock.advance(5)
        health.reached(health.moment)
        health.made_up(health.moment)
        assert (health.reachable, health.up) == (True, False)

    @given(st.lists(st.sampled_from(["failed", "missed", "lost", "reached", "made_up"])))
    def test_it_is_never_up_and_distrusted(self, events: list[str]) -> None:
        health, _ = make_health()
        for event in events:
            since = (health.moment,) if event in {"reached", "made_up"} else ()
            getattr(health, event)(*since)
            assert not (health.up and health.distrusted)
            assert health.reachable or not health.up
