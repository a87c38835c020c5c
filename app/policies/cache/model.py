"""What the read cache deals in: keys, responses, and how an entry came to be served."""

from dataclasses import dataclass, field
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
