"""The store of a gateway of one process."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import count

from app.policies.cache.model import WRITING, CacheEntry, CacheKey, Lookup, Stamp, Usage

_OVERHEAD = 1536
"""Bytes that an stored takes beside its texts, for objects, stamps and tables; generously."""
_HEADER_OVERHEAD = 160
_LARGEST_SHARE = 4
_MOST_VERSIONS = 65_536


@dataclass(frozen=True, slots=True)
class _Stored:
    entry: CacheEntry
    stamp: Stamp
    size: int


def size_of(key: CacheKey, entry: CacheEntry) -> int:
    """Return the bytes that a entry takes in memory."""
    headers = sum(_HEADER_OVERHEAD + len(name) + len(value) for name, value in entry.headers)
    return _OVERHEAD + len(key.digest) + len(entry.body) + len(entry.etag) + headers


class MemoryStore:
    """A `CacheStore` in the process: least recently used out, bounded in bytes.

    A entry that takes more than a quarter of them is not kept, so none is with 0.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[CacheKey, _Stored] = OrderedDict()
        self._versions = _Versions()
        self._size = 0
        self._evicted = 0

    def usage(self) -> Usage:
        return Usage(len(self._entries), self._size, self._evicted)

    async def look(self, key: CacheKey) -> Lookup:
        stamp = self._versions.stamp(key)
        stored = self._entries.get(key)
        if stored is None:
            return Lookup(None, stamp)
        if stored.stamp != stamp:
            self._remove(key)
            return Lookup(None, stamp)
        self._entries.move_to_end(key)
        return Lookup(stored.entry, stamp)

    async def put(self, key: CacheKey, lookup: Lookup, entry: CacheEntry, seconds: float) -> bool:  # noqa: ARG002 - readers judge ages
        size = size_of(key, entry)
        if lookup.stamp is None or lookup.stamp != self._versions.stamp(key):
            return False
        self._remove(key)
        if size * _LARGEST_SHARE > self._most_bytes:
            return False
        self._entries[key] = _Stored(entry, lookup.stamp, size)
        self._size += size
        while self._size > self._most_bytes:
            self._remove(next(iter(self._entries)))
            self._evicted += 1
        return True

    async def begin_write(self, tenant: str, tags: tuple[str, ...], seconds: float) -> None:  # noqa: ARG002 - every write ends
        for tag in tags:
            self._versions.renew(tenant, tag, WRITING)

    async def end_write(self, tenant: str, tags: tuple[str, ...]) -> None:
        for tag in tags:
            self._versions.renew(tenant, tag)

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        if tenant is not None:
            self._versions.renew(tenant, tag)
            return
        self._versions.renew_everything()
        self._entries.clear()
        self._size = 0

    async def aclose(self) -> None:
        """Nothing goes on in the background."""

    def _remove(self, key: CacheKey) -> None:
        stored = self._entries.pop(key, None)
        if stored is not None:
            self._size -= stored.size


class _Versions:
    """The version tags of this process; one that was forgotten comes back as another, never as itself."""

    def __init__(self) -> None:
        self._numbers = count()
        self._everything = self._next()
        self._versions: OrderedDict[tuple[str, str | None], bytes] = OrderedDict()

    def stamp(self, key: CacheKey) -> Stamp:
        tenant = key.tenant
        return (self._everything, self._of((tenant, None)), *[self._of((tenant, tag)) for tag in key.tags])

    def renew(self, tenant: str, tag: str | None, mark: bytes = b"") -> None:
        self._versions[tenant, tag] = mark + self._next()
        if len(self._versions) > _MOST_VERSIONS:
            self._versions.popitem(last=False)

    def renew_everything(self) -> None:
        self._everything = self._next()

    def _of(self, name: tuple[str, str | None]) -> bytes:
        version = self._versions.get(name)
        if version is None:
            self.renew(*name)
            return self._versions[name]
        return version

    def _next(self) -> bytes:
        return b"%d" % next(self._numbers)
