"""What the read cache deals in: where an answer belongs, the answer, and how it came to be served."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Windows:
    """How long an answer may be served, in seconds; each stale window begins where freshness ends.

    Args:
        fresh: served without asking; 0 means that it is never stored.
        stale_while_revalidate: served while it is fetched anew in the background (RFC 5861).
        stale_if_error: served if fetching it anew fails (RFC 5861).
    """

    fresh: float
    stale_while_revalidate: float
    stale_if_error: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer belongs.

    Args:
        tenant: the tenant's id.
        key: hex digest of tenant, credentials, operation, parameters and version of the representation; no secret.
        tags: what the answer depends on; they are the tenant's own.
    """

    tenant: str
    key: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is stored and served, ready to go out.

    Args:
        found: False if the platform showed that the resource is not there; such an answer is never served stale.
        body: JSON.
        etag: a quoted strong entity tag.
        headers: further headers, such as `Link`.
        windows: how long it may be served.
        stored_at: Unix time at which it was fetched.
    """

    found: bool
    body: bytes = field(repr=False)
    etag: str
    headers: tuple[tuple[str, str], ...]
    windows: Windows
    stored_at: float


@dataclass(frozen=True, slots=True)
class Directives:
    """A request's `Cache-Control` (RFC 9111, 5.2.1), `max_age` in seconds."""

    no_cache: bool = False
    no_store: bool = False
    max_age: float | None = None
    only_if_cached: bool = False


NO_DIRECTIVES = Directives()


class Outcome(StrEnum):
    """How a read was answered."""

    HIT = "hit"
    STALE = "stale"
    """Past its freshness; it is fetched anew in the background."""
    MISS = "miss"
    COLLAPSED = "collapsed"
    """By the fetch of another request."""
    BYPASS = "bypass"
    """Fetched and not to be stored: `no-store`, or an answer without a lifetime."""
    FORCED = "forced"
    """Fetched because the request did not want what was stored."""
    STALE_IF_ERROR = "stale_if_error"


class Served(NamedTuple):
    """An answer on its way out.

    Args:
        answer: the answer.
        outcome: how it came about.
        age: seconds since it was fetched.
        stored: whether the cache holds it for the next read.
        shared: whether it came from the store that replicas share.
    """

    answer: Answer
    outcome: Outcome
    age: float
    stored: bool
    shared: bool


class NotCached(Exception):
    """The request wants a stored answer or none, and none may be used."""


class CacheObserver(Protocol):
    """Told what becomes of reads and of the store."""

    def looked_up(self, outcome: Outcome) -> None:
        """Called once for every read that was answered, and once for one that failed."""

    def store_failed(self, action: str) -> None:
        """Called when the shared store let the cache down.

        Args:
            action: `read`, `store`, `lock`, `invalidate`, `acknowledge` (a replica did not confirm an invalidation in
                time), `silence` (another replica is not heard of), `heartbeat`, `subscribe`, or `decrypt` (an entry is
                not what this gateway wrote there).
        """
