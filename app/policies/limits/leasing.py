"""Leases: what has been counted as a whole, ahead of the requests that will use it."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.policies.limits.model import Decision, Quota, Standing

_LARGEST_SHARE = 50
_LIFE = 1.0
_SOON = 0.5
_REFUSAL_LIFE = 0.1
_MOST_SUBJECTS = 20_000


@dataclass(slots=True)
class _Lease:
    size: int = 0
    left: int = 0
    began: float = -math.inf
    standing: Standing | None = None


class Leases:
    """The leases of one process.

    A lease is as large as the demand: it begins with one, doubles when it was used up within half a second, shrinks to
    what was used of one that ran out, and is never more than a fiftieth of the quota. So a process that asks rarely
    takes no more than it uses, and one that asks often goes to the store rarely.

    Args:
        clock: a monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._leases: OrderedDict[tuple[str, Quota], _Lease] = OrderedDict()

    def spend(self, subject: str, quota: Quota) -> Standing | None:
        """Count one request out of a lease; None if there is none.

        Less than nothing remains where the store has refused a moment ago.
        """
        lease = self._leases.get((subject, quota))
        if lease is None or lease.standing is None:
            return None
        age = self._clock() - lease.began
        if lease.standing.remaining < 0:
            return lease.standing if age < _REFUSAL_LIFE else None
        if lease.left <= 0 or age >= _LIFE:
            return None
        return _spent(lease, lease.standing)

    def at_hand(self, quotas: Sequence[tuple[str, Quota]]) -> Callable[[], Decision] | None:
        """Return what counts one request out of a lease of each quota; None if there is one without."""
        now = self._clock()
        found: list[tuple[_Lease, Standing]] = []
        for each in quotas:
            lease = self._leases.get(each)
            if lease is None or lease.standing is None or lease.left <= 0 or now - lease.began >= _LIFE:
                return None
            found.append((lease, lease.standing))
        return partial(_allowed, found)

    def wanted(self, subject: str, quota: Quota) -> int:
        """Return how large the next lease should be."""
        lease = self._of(subject, quota)
        if lease.left > 0:
            size = lease.size - lease.left
        else:
            size = lease.size * 2 if self._clock() - lease.began < _SOON else lease.size
        return max(1, min(size, quota.amount // _LARGEST_SHARE))

    def begin(self, subject: str, quota: Quota, size: int, standing: Standing) -> Standing:
        """Take a lease that the store has counted, and count one request out of it.

        Args:
            subject: whose.
            quota: of what.
            size: how many were counted; 0 if the store refused.
            standing: how the quota stands in the store.
        """
        lease = self._of(subject, quota)
        lease.size, lease.left, lease.began = size, max(size - 1, 0), self._clock()
        lease.standing = standing if size else Standing(quota, -1, standing.reset)
        return Standing(quota, lease.standing.remaining + lease.left, standing.reset)

    def _of(self, subject: str, quota: Quota) -> _Lease:
        lease = self._leases.setdefault((subject, quota), _Lease())
        self._leases.move_to_end((subject, quota))
        if len(self._leases) > _MOST_SUBJECTS:
            self._leases.popitem(last=False)
        return lease


def _allowed(leases: Sequence[tuple[_Lease, Standing]]) -> Decision:
    return Decision(True, tuple([_spent(lease, standing) for lease, standing in leases]))


def _spent(lease: _Lease, standing: Standing) -> Standing:
    lease.left -= 1
    return Standing(standing.quota, standing.remaining + lease.left, standing.reset)
