"""How old is too old."""

from hypothesis import given
from hypothesis import strategies as st

from app.policies.cache.model import (
    NO_DIRECTIVES,
    CacheEntry,
    CacheOutcome,
    Directives,
    Windows,
    age_of,
    judge,
    may_stand_in,
    remaining_life,
)
from tests.policies.cache.conftest import make_entry

_SECONDS = st.integers(0, 1000).map(float)
_ANSWERS = st.builds(
    make_entry, stored_at=_SECONDS, found=st.booleans(), windows=st.builds(Windows, _SECONDS, _SECONDS, _SECONDS)
)


@given(_ANSWERS, _SECONDS)
def test_what_may_be_served_is_still_held(answer: CacheEntry, now: float) -> None:
    served = judge(answer, now, NO_DIRECTIVES) in {CacheOutcome.HIT, CacheOutcome.STALE}
    if served or (may_stand_in(answer, now) and answer.windows.fresh > 0):
        assert remaining_life(answer, now) > 0


@given(_ANSWERS, _SECONDS, st.builds(Directives, no_cache=st.booleans(), max_age=st.none() | _SECONDS))
def test_directives_only_ever_keep_an_answer_back(answer: CacheEntry, now: float, directives: Directives) -> None:
    outcome = judge(answer, now, directives)
    if outcome is CacheOutcome.HIT:
        assert judge(answer, now, NO_DIRECTIVES) is CacheOutcome.HIT
        assert not directives.no_cache
        assert directives.max_age is None or age_of(answer, now) <= directives.max_age
    if outcome is CacheOutcome.STALE:
        assert (answer.found, directives) == (True, Directives())


@given(st.none() | _ANSWERS, _SECONDS)
def test_nothing_is_a_hit_without_an_answer_that_lives(answer: CacheEntry | None, now: float) -> None:
    if answer is None or remaining_life(answer, now) <= 0:
        assert judge(answer, now, NO_DIRECTIVES) is CacheOutcome.MISS
        assert judge(answer, now, Directives(no_cache=True)) is CacheOutcome.FORCED
