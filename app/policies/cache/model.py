"""What the read cache deals in: keys, responses, and how an entry came to be served."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Windows:
    """How long an entry may be served, in seconds; each stale window begins where freshness ends (RFC 5861)."""

    fresh: float
    """0 means that the entry is never stored."""
    stale_while_revalidate: float
    stale_if_error: float


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Where an entry belongs: its tenant, a digest of what decides it, and the tenant's tags it depends on."""

    tenant: str
    digest: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What is stored and served, ready to go out."""

    found: bool
    """False if the platform showed that the resource does not exist; such an entry is never served stale."""
    body: bytes = field(repr=False)
    etag: str
    headers: tuple[tuple[str, str], ...]
    windows: Windows
    stored_at: float
    """Unix time of the fetch."""


@dataclass(frozen=True, slots=True)
class Directives:
    """A request's `Cache-Control` (RFC 9111, 5.2.1), `max_age` in seconds."""

    no_cache: bool = False
    no_store: bool = False
    max_age: float | None = None
    only_if_cached: bool = False


NO_DIRECTIVES = Directives()


class CacheOutcome(StrEnum):
    """How a read was answered."""

    HIT = "hit"
    STALE = "stale"
    """Past its freshness; it is fetched again in the background."""
    MISS = "miss"
    COLLAPSED = "collapsed"
    """By the fetch of another request."""
    BYPASS = "bypass"
    """Fetched and not to be stored: `no-store`, or an entry without a lifetime."""
    FORCED = "forced"
    """Fetched because the request did not want what was stored."""
    STALE_IF_ERROR = "stale_if_error"


class Served(NamedTuple):
    """An entry on its way out; `shared` tells whether it came from the store that replicas share."""

    entry: CacheEntry
    outcome: CacheOutcome
    age: float
    stored: bool
    shared: bool


class NothingStored(Exception):
    """The request accepts only a stored entry, and none may be used."""


class CacheObserver(Protocol):
    """Sees what becomes of reads and of the store."""

    def looked_up(self, outcome: CacheOutcome) -> None:
        """Called once for every read, also for one that failed."""

    def store_failed(self, action: str) -> None:
        """Called when the store failed to `read`, `store` or `invalidate`, or held what it should not (`decrypt`)."""


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


Fetch = Callable[[], Awaitable[CacheEntry]]
"""Asks the platform; it may run in another task."""


class Cache(Protocol):
    """Answers reads and obeys writes."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work while the context is open; leaving it ends what goes on in the background."""

    async def read(self, key: CacheKey, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:
        """Return a stored entry that may be served, or fetch one.

        Raises:
            NothingStored: the request accepts only a stored entry, and there is none.
            Exception: what `fetch` raised.
        """

    def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AbstractAsyncContextManager[None]:
        """Surround a write of at most so many seconds: its tags are invalid before and, however it ends, after it."""

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        """Invalidate everything, a tenant, or one of its tags; raises `ValueError` for a tag without a tenant."""


class NullCache:
    """A `Cache` that keeps nothing: every read is fetched."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def read(self, key: CacheKey, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:  # noqa: ARG002
        if directives.only_if_cached:
            raise NothingStored
        return Served(await fetch(), CacheOutcome.BYPASS, 0.0, stored=False, shared=False)

    @asynccontextmanager
    async def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AsyncIterator[None]:  # noqa: ARG002
        yield

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        if tenant is None and tag is not None:
            raise ValueError("a tag belongs to a tenant")


def age_of(entry: CacheEntry, now: float) -> float:
    """Return the seconds since an entry was fetched; none if another machine's clock is ahead."""
    return max(0.0, now - entry.stored_at)


def is_fresh(entry: CacheEntry, now: float) -> bool:
    """Tell whether an entry may be served without asking the platform."""
    return now - entry.stored_at < entry.windows.fresh


def remaining_life(entry: CacheEntry, now: float) -> float:
    """Return the seconds for which an entry can be of any use; not above 0 if it must not be stored."""
    windows = entry.windows
    if windows.fresh <= 0:
        return 0.0
    stale = max(windows.stale_while_revalidate, windows.stale_if_error) if entry.found else 0.0
    return windows.fresh + stale - age_of(entry, now)


def may_stand_in(entry: CacheEntry, now: float) -> bool:
    """Tell whether an entry may be served because the platform failed."""
    return is_fresh(entry, now) or _stale_within(entry, now, entry.windows.stale_if_error)


def judge(entry: CacheEntry | None, now: float, directives: Directives) -> CacheOutcome:
    """Return what a read does with what is stored: HIT and STALE serve it, MISS and FORCED fetch.

    A request that names an age does not want a stale response either (RFC 9111, 5.2.1.1).
    """
    if directives.no_cache or (directives.max_age is not None and directives.max_age <= 0):
        return CacheOutcome.FORCED
    if entry is None or remaining_life(entry, now) <= 0:
        return CacheOutcome.MISS
    fresh = is_fresh(entry, now)
    if directives.max_age is not None:
        return CacheOutcome.HIT if fresh and age_of(entry, now) <= directives.max_age else CacheOutcome.FORCED
    if fresh:
        return CacheOutcome.HIT
    return CacheOutcome.STALE if _stale_within(entry, now, entry.windows.stale_while_revalidate) else CacheOutcome.MISS


def _stale_within(entry: CacheEntry, now: float, window: float) -> bool:
    return entry.found and age_of(entry, now) < entry.windows.fresh + window


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a flight brought, and how."""

    entry: CacheEntry
    outcome: CacheOutcome
    stored: bool
    shared: bool = False

    def collapsed(self) -> "Fetched":
        """Return the same as it looks to one who joined the flight."""
        return self if self.outcome is CacheOutcome.STALE_IF_ERROR else replace(self, outcome=CacheOutcome.COLLAPSED)
