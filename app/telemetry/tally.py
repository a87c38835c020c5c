"""Counting together what happens in one moment: metrics take locks, and workers' metrics are written into files."""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from prometheus_client import Histogram

Kind = TypeVar("Kind", bound=Hashable)


class BulkHistogram(Histogram):
    """A histogram that takes many observations in one go."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Count observations, as `observe` would each of them."""
        found = Counter([bisect_left(self._upper_bounds, amount) for amount in amounts])
        self._sum.inc(sum(amounts))
        for bucket, number in found.items():
            self._buckets[bucket].inc(number)


class Tally(Generic[Kind]):
    """Collects amounts by their kind until the event loop's next turn, or until they are asked for.

    Args:
        count: takes the amounts of a kind.
    """

    def __init__(self, count: Callable[[Kind, Sequence[float]], None]) -> None:
        self._count = count
        self._waiting: dict[Kind, list[float]] = {}

    def add(self, kind: Kind, amount: float) -> None:
        """Take an amount; where no event loop runs it is counted at once."""
        amounts = self._waiting.get(kind)
        if amounts is not None:
            amounts.append(amount)
            return
        is_first = not self._waiting
        self._waiting[kind] = [amount]
        if is_first:
            self._flush_soon()

    def flush(self) -> None:
        """Count what waits."""
        waiting, self._waiting = self._waiting, {}
        for kind, amounts in waiting.items():
            self._count(kind, amounts)

    def _flush_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:
            self.flush()
