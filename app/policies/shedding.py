"""Requests at once are bounded for the process as a whole, before memory or latency suffer from them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.policies.bulkhead import Full


class Shedder:
    """Counts requests under way and refuses those beyond a limit.

    Where it is full, the request whose body has kept it waiting the longest makes room. No tenant holds more than half
    of the places, or as many as its concurrency where that is more, but never more than three quarters.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0
        self._by_tenant: Counter[str] = Counter()
        self._slow: dict[object, Callable[[], None]] = {}

    @property
    def under_way(self) -> int:
        """How many there are."""
        return self._under_way

    def __enter__(self) -> None:
        """Count one request; raises `Full` where there are too many."""
        if self._under_way >= self._limit and not self._make_room():
            raise Full("requests")
        self._under_way += 1

    def __exit__(self, *_failure: object) -> None:
        self._under_way -= 1

    @contextmanager
    def share_of(self, tenant_id: str, concurrency: int) -> Iterator[None]:
        """Count one request of a tenant's; raises `Full` where the tenant has too many."""
        share = min(max(concurrency, self._limit // 2), max(1, self._limit * 3 // 4))
        if self._by_tenant[tenant_id] >= share:
            raise Full("tenant_requests")
        self._by_tenant[tenant_id] += 1
        try:
            yield
        finally:
            self._by_tenant[tenant_id] -= 1
            if not self._by_tenant[tenant_id]:
                del self._by_tenant[tenant_id]

    def body_is_slow(self, body: object, give_up: Callable[[], None]) -> None:
        """Note that a body keeps its request waiting; `give_up` ends the wait."""
        self._slow.setdefault(body, give_up)

    def body_is_done(self, body: object) -> None:
        """Note that a body keeps nobody waiting any more."""
        self._slow.pop(body, None)

    def _make_room(self) -> bool:
        for body, give_up in self._slow.items():
            del self._slow[body]
            give_up()
            return True
        return False


class ByteBudget:
    """Bytes of a process that are taken and given back."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self, count: int) -> bool:
        """Take some bytes if there are as many; tell whether there were."""
        if self.used + count > self.most:
            return False
        self.used += count
        return True

    def give_back(self, count: int) -> None:
        """Give back what was taken."""
        self.used -= count
