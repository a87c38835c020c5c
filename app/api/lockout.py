"""A pause for addresses that present wrong keys, so that guessing costs no look-ups and gets no answers.

Counted in each process by itself: with several, an address has as many tries as there are processes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from app.api.proxies import subscriber


class Lockout:
    """Counts wrong keys by address, IPv6 by /64, and remembers which right ones each address has used.

    From a locked address only a key passes that was right from that same address before: those who share it with
    whoever is guessing go on undisturbed, and whoever is guessing learns nothing from any other key, right or wrong.
    Memory is bounded; what is forgotten first is what ends first.

    Args:
        failures: wrong keys after which an address is locked.
        window: seconds over which they are counted, from the first one, and at the end of which the lock opens.
        most: addresses, and pairs of address and key, that are remembered at most.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self, *, failures: int, window: float, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._window = window
        self._most = most
        self._clock = clock
        # Ordered by when the counting began, which is the order in which it ends.
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._subscriber = lru_cache(most)(subscriber)

    def locked_for(self, address: str | None) -> float:
        """Return for how many seconds an address stays locked; 0 if it is not."""
        if not self._wrong:
            return 0.0
        began, count = self._wrong.get(self._subscriber(address), (0.0, 0))
        return max(0.0, began + self._window - self._clock()) if count >= self._failures else 0.0

    def passes(self, address: str | None, key_hash: str) -> bool:
        """Tell whether a key was right from this address before."""
        return (self._subscriber(address), key_hash) in self._right

    def right(self, address: str | None, key_hash: str) -> None:
        """Remember that a key was right."""
        pair = self._subscriber(address), key_hash
        if pair in self._right:
            self._right.move_to_end(pair)
            return
        self._right[pair] = None
        if len(self._right) > self._most:
            self._right.popitem(last=False)

    def wrong(self, address: str | None) -> None:
        """Count a wrong key."""
        now = self._clock()
        while self._wrong and next(iter(self._wrong.values()))[0] + self._window <= now:
            self._wrong.popitem(last=False)
        whose = self._subscriber(address)
        began, count = self._wrong.get(whose, (now, 0))
        self._wrong[whose] = began, count + 1
        if len(self._wrong) > self._most:
            self._wrong.popitem(last=False)
