"""What the read cache asks of a store."""

from dataclasses import dataclass
from typing import Protocol

from app.policies.cache.model import CacheEntry, CacheKey

Stamp = tuple[bytes, ...]
"""The versions an entry depends on: of everything, of its tenant, and of each of its tags."""

WRITING = b"!"
"""The first byte of a tag's version while a write is under way."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a store knows about a key at one moment; `stamp` is None while the store cannot be used."""

    entry: CacheEntry | None
    stamp: Stamp | None
    shared: bool = False

    @property
    def storable(self) -> bool:
        """Whether an entry fetched from now on may be stored."""
        return self.stamp is not None and not is_writing(self.stamp)


def is_writing(stamp: Stamp) -> bool:
    """Tell whether one of a stamp's tags is being written."""
    return any(version.startswith(WRITING) for version in stamp)


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process itself holds: responses, their bytes, and how many were evicted so far."""

    entries: int
    size: int
    evicted: int


class CacheStore(Protocol):
    """Keeps responses together with the versions they were read under.

    No method raises because the store cannot be reached, nor waits for it longer than one short time-out.
    """

    def usage(self) -> Usage:
        """Return what this process itself holds."""

    async def look(self, key: CacheKey) -> Lookup:
        """Return what is stored under a key, if it is valid, and the versions of this moment."""

    async def put(self, key: CacheKey, lookup: Lookup, entry: CacheEntry, seconds: float) -> bool:
        """Store an entry, unless a version has changed since `lookup`, which must have been storable."""

    async def begin_write(self, tenant: str, tags: tuple[str, ...], seconds: float) -> None:
        """Invalidate a tenant's tags and store nothing under them until the write ends, or for so many seconds."""

    async def end_write(self, tenant: str, tags: tuple[str, ...]) -> None:
        """Invalidate a tenant's tags."""

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        """Invalidate everything, a tenant, or one of its tags."""

    async def aclose(self) -> None:
        """End what goes on in the background."""
