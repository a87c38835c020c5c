"""Budgets of retries."""

from hypothesis import given
from hypothesis import strategies as st

from app.policies.retry import RetryBudget
from tests.support.clocks import Clock


def taken(budget: RetryBudget, upstream: str = "platform") -> int:
    """Take what there is and return how much it was."""
    count = 0
    while budget.take(upstream):
        count += 1
    return count


def test_a_platform_starts_with_the_reserve() -> None:
    assert taken(RetryBudget(reserve=4.0, now=Clock())) == 4


def test_calls_earn_their_share() -> None:
    budget = RetryBudget(ratio=0.25, reserve=2.0, now=Clock())
    taken(budget)
    for _ in range(40):
        budget.called("platform")
    assert taken(budget) == 10


def test_savings_are_bounded() -> None:
    budget = RetryBudget(ratio=0.25, reserve=2.0, now=Clock())
    for _ in range(10_000):
        budget.called("platform")
    assert taken(budget) == 25


def test_time_earns_the_reserve_back_and_no_more() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.5, reserve=4.0, window=8.0, now=clock)
    assert taken(budget) == 4
    clock.now += 2.0
    assert taken(budget) == 1
    clock.now += 1000.0
    assert taken(budget) == 4


def test_time_leaves_what_calls_have_earned() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.5, reserve=4.0, window=8.0, now=clock)
    for _ in range(20):
        budget.called("platform")
    clock.now += 1000.0
    assert taken(budget) == 14


def test_no_ratio_is_no_retry() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.0, now=clock)
    budget.called("platform")
    clock.now += 1000.0
    assert taken(budget) == 0


def test_platforms_have_budgets_of_their_own() -> None:
    budget = RetryBudget(reserve=3.0, now=Clock())
    assert taken(budget, "one") == 3
    assert taken(budget, "other") == 3


def test_the_one_unused_longest_is_forgotten() -> None:
    budget = RetryBudget(reserve=3.0, now=Clock())
    taken(budget, "kept")
    taken(budget, "forgotten")
    for number in range(998):
        budget.called(f"{number}")
    budget.called("kept")
    budget.called("one too many")
    assert taken(budget, "kept") == 0
    assert taken(budget, "forgotten") == 3


@given(
    st.lists(st.tuples(st.sampled_from(["call", "retry", "wait"]), st.floats(0, 5)), max_size=300),
    st.sampled_from([0.0, 0.1, 0.25, 1.0]),
)
def test_retries_never_exceed_what_was_earned(steps: list[tuple[str, float]], ratio: float) -> None:
    clock = Clock(0.0)
    budget = RetryBudget(ratio=ratio, reserve=5.0, window=10.0, now=clock)
    calls = retries = 0
    for step, seconds in steps:
        if step == "call":
            budget.called("platform")
            calls += 1
        elif step == "retry":
            retries += budget.take("platform")
        else:
            clock.now += seconds
        floor = 5.0 + clock.now * 0.5 if ratio else 0.0
        assert retries <= floor + calls * ratio + 1e-6
