"""Counting together: the same as one by one, and not later than the loop's next turn."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from app.telemetry.tally import BulkHistogram, Tally

BUCKETS = (0.1, 1.0, 2.5)


@given(st.lists(st.floats(0, 10) | st.sampled_from(BUCKETS), max_size=20))
def test_a_histogram_counts_many_as_it_counts_each(amounts: list[float]) -> None:
    registries = CollectorRegistry(), CollectorRegistry()
    one_by_one, at_once = (BulkHistogram("x", "", ["y"], buckets=BUCKETS, registry=each) for each in registries)
    for amount in amounts:
        one_by_one.labels("z").observe(amount)
    at_once.labels("z").observe_all(amounts)
    assert samples(registries[1]) == samples(registries[0]) or not amounts


def samples(registry: CollectorRegistry) -> list[bytes]:
    return [line for line in generate_latest(registry).splitlines() if b"_bucket" in line or b"_count" in line]


class Counted:
    """Keeps what is counted."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[float]]] = []

    def __call__(self, kind: str, amounts: Sequence[float]) -> None:
        self.calls.append((kind, list(amounts)))


class TestTally:
    async def test_one_moment_is_counted_together(self) -> None:
        counted = Counted()
        tally: Tally[str] = Tally(counted)
        for kind, amount in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
            tally.add(kind, amount)
        assert counted.calls == []
        await asyncio.sleep(0)
        assert counted.calls == [("a", [1.0, 3.0]), ("b", [2.0])]

    async def test_each_amount_counts_once(self) -> None:
        counted = Counted()
        tally: Tally[str] = Tally(counted)
        tally.add("a", 1.0)
        tally.flush()
        tally.add("a", 2.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert counted.calls == [("a", [1.0]), ("a", [2.0])]

    def test_nothing_waits_where_no_loop_runs(self) -> None:
        counted = Counted()
        tally: Tally[str] = Tally(counted)
        tally.add("a", 1.0)
        tally.add("a", 2.0)
        assert counted.calls == [("a", [1.0]), ("a", [2.0])]
