"""One upstream operation, described as a value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from app.policies.cache.model import Windows
from app.upstream.document import Document
from app.upstream.envelope import Parameters
from app.upstream.sources import Source

Request = TypeVar("Request", contravariant=True)
Result = TypeVar("Result", contravariant=True)

Lifetimes = Mapping[str, float]
"""Seconds by an operation's name; `*` stands for all that are not named, and 0 keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy(Generic[Request, Result]):
    """How long one operation's answers may be kept.

    Args:
        stale_while_revalidate: seconds after that for which it is still given while a newer one is fetched (RFC 5861).
        stale_if_error: seconds after its lifetime for which it is given where the platform fails (RFC 5861).
        negative: seconds for which it is remembered that something is not there.
        settled: tells of a request, its answer and the time whether the answer is not going to change any more.
    """

    lifetime: float
    stale_while_revalidate: float
    stale_if_error: float = 3600.0
    negative: float = 5.0
    settled: Callable[[Request, Result, datetime], bool] | None = None
    settled_lifetime: float = 3600.0

    def windows(self, request: Request, result: Result, now: Callable[[], datetime], override: float | None) -> Windows:
        """Return how long an answer may be kept; an override replaces whichever lifetime would hold.

        `now` tells the time to those answers whose lifetime depends on it.
        """
        if override is not None:
            return self._windows(override)
        if self.settled is not None and self.settled(request, result, now()):
            return self._windows(self.settled_lifetime)
        return self._windows(self.lifetime)

    def negative_windows(self, override: float | None) -> Windows:
        """Return how long it may be remembered that something is not there; never stale."""
        return Windows(self.negative if override is None else min(self.negative, override), 0.0, 0.0)

    def _windows(self, fresh: float) -> Windows:
        if fresh <= 0:
            return Windows(0.0, 0.0, 0.0)
        return Windows(fresh, self.stale_while_revalidate, self.stale_if_error)


def chosen_lifetime(operation: str, *overrides: Lifetimes) -> float | None:
    """Return the lifetime that the first of several overrides sets for an operation, or None."""
    for lifetimes in overrides:
        for name in (operation, "*"):
            if name in lifetimes:
                return lifetimes[name]
    return None


Policy = CachePolicy[Any, Any]

SLOW: Policy = CachePolicy(lifetime=300.0, stale_while_revalidate=300.0)
"""For what changes by the month: who the account belongs to."""

EDITED: Policy = CachePolicy(lifetime=30.0, stale_while_revalidate=30.0)
"""For what people edit: lists, templates, domains. The gateway's own edits are seen at once."""

GROWING: Policy = CachePolicy(lifetime=15.0, stale_while_revalidate=15.0)
"""For counts that grow while people read."""

RUNNING: Policy = CachePolicy(lifetime=3.0, stale_while_revalidate=5.0, stale_if_error=600.0)
"""For what is being worked off and watched."""


In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Effect(StrEnum):
    """What an operation does to the platform; decides caching, retries, idempotency and invalidation."""

    READ = "read"
    """Changes nothing."""
    IDEMPOTENT_WRITE = "idempotent_write"
    """Doing it twice leaves what doing it once leaves."""
    WRITE = "write"
    """Doing it twice does it twice."""
    SEND = "send"
    """Makes mail go out; doing it twice mails people twice."""


class DeadlineClass(StrEnum):
    """Which total deadline a call runs under; each class is a setting."""

    INTERACTIVE = "interactive"
    WRITE = "write"
    EXPORT = "export"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[In, Out]):
    """One upstream operation and its two pure functions.

    Args:
        name: the gateway's name, `noun.verb`; it stands in logs, metrics and errors.
        decode: turns the reply, seen beside the input it answers, into the public model. Raises `UnexpectedForm` for
            a reply that cannot be used and `NotFound` for one that shows that the resource is not there.
        root: the promised root element; None where plain text is promised.
        tags: what a read depends on and what a write changes.
        find_out: for writes, how a caller learns what became of one whose outcome is unknown.
        counts_as_campaign: whether it uses up the platform's quota of campaigns (manual 6.2: 100 calls an hour).
    """

    name: str
    section: str
    script: str
    do: str | None = None
    encode: Callable[[In], Parameters]
    decode: Callable[[Document, In], Out]
    effect: Effect
    root: str | None = "result"
    deadline: DeadlineClass = DeadlineClass.INTERACTIVE
    tags: frozenset[str] = frozenset()
    secret_fields: frozenset[str] = frozenset()
    find_out: str | None = None
    cache: CachePolicy[In, Out] | None = None
    counts_as_campaign: bool = False

    def __post_init__(self) -> None:
        if (self.effect is Effect.READ) == (self.find_out is not None):
            raise ValueError(f"{self.name}: a write, and only a write, says how to find out its outcome")
        if self.effect is not Effect.READ and self.cache is not None:
            raise ValueError(f"{self.name}: only a read can be cached")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Generic[In]):
    """An upstream operation whose reply may be of any size, and which is passed on as it comes; see `Operation`.

    Args:
        source: how the reply's records are written and which public model each becomes.
    """

    name: str
    section: str
    script: str
    do: str | None = None
    encode: Callable[[In], Parameters]
    source: Source
    tags: frozenset[str] = frozenset()
    secret_fields: frozenset[str] = frozenset()
    effect: Effect = field(default=Effect.READ, init=False)
    deadline: DeadlineClass = field(default=DeadlineClass.EXPORT, init=False)
    find_out: None = field(default=None, init=False)
    counts_as_campaign: bool = field(default=False, init=False)


def acknowledged(_document: Document, _request: object) -> None:
    """Decode a reply whose success status is all there is to know."""


def no_parameters(_request: object) -> Parameters:
    """Encode a request that says nothing beyond its operation."""
    return Parameters()


def by(name: str) -> Callable[[int], Parameters]:
    """Return what encodes an id as one parameter of the URL."""
    return lambda number: Parameters(query={name: str(number)})
