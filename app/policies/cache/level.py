"""Answers held in this process, bounded by the memory they take."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.policies.cache.generations import Generations, Writers
from app.policies.cache.model import Answer
from app.policies.cache.store import Change, Stamp, Usage

_OVERHEAD = 1536
"""Bytes that an entry takes beside its texts, for objects, stamps and tables; generously."""
_HEADER_OVERHEAD = 160
_LARGEST_SHARE = 4

_Place = tuple[str, str, tuple[str, ...]]


@dataclass(slots=True)
class _Entry:
    answer: Answer
    stamp: Stamp
    size: int
    valid_at: int


def size_of(key: str, answer: Answer) -> int:
    """Return the bytes that an answer takes in memory."""
    headers = sum(_HEADER_OVERHEAD + len(name) + len(value) for name, value in answer.headers)
    return _OVERHEAD + len(key) + len(answer.body) + len(answer.etag) + headers


class Level:
    """A least-recently-used table of answers and the tokens under which each was read.

    Args:
        most_bytes: how much memory they may take; an answer that takes more than a quarter of it is not kept, so none
            is with 0.
        clock: a monotonic clock in seconds.
    """

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[_Place, _Entry] = OrderedDict()
        self._generations = Generations()
        self._writers = Writers(clock)
        self.stamp = self._generations.stamp
        self.renew = self._generations.renew
        self.writing = self._writers.writing
        self.bytes_used = 0
        self._evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, tenant: str, key: str, tags: tuple[str, ...]) -> Answer | None:
        """Return a valid answer, however old."""
        place = tenant, key, tags
        entry = self._entries.get(place)
        if entry is None:
            return None
        if entry.valid_at != self._generations.changes:
            if entry.stamp != self.stamp(tenant, tags):
                self._remove(place)
                return None
            entry.valid_at = self._generations.changes
        self._entries.move_to_end(place)
        return entry.answer

    def put(self, tenant: str, key: str, tags: tuple[str, ...], answer: Answer, stamp: Stamp) -> bool:
        """Keep an answer, unless a token changed since `stamp` or it is too large."""
        if stamp != self.stamp(tenant, tags):
            return False
        place = tenant, key, tags
        self._remove(place)
        size = size_of(key, answer)
        if size * _LARGEST_SHARE > self._most_bytes:
            return False
        self._entries[place] = _Entry(answer, stamp, size, self._generations.changes)
        self.bytes_used += size
        while self.bytes_used > self._most_bytes:
            self._remove(next(iter(self._entries)))
            self._evicted += 1
        return True

    def usage(self) -> Usage:
        """Return how much is kept, and how much has made room for other answers."""
        return Usage(len(self._entries), self.bytes_used, self._evicted)

    def clear(self) -> None:
        """Make everything invalid and give its memory back."""
        self._generations.renew_everything()
        self._entries.clear()
        self.bytes_used = 0

    def begin(self, change: Change, seconds: float) -> None:
        """Make what a write touches invalid; it is being written until the write's end or for so many seconds."""
        self._writers.begin(change, seconds)
        self.renew(change.tenant, change.tags)

    def end(self, change: Change) -> None:
        """Make what a write touched invalid; it is no longer being written."""
        self.renew(change.tenant, change.tags)
        self._writers.end(change)

    def _remove(self, place: _Place) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self.bytes_used -= entry.size
