"""One upstream operation, described as a value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from app.gateway.lifetimes import CachePolicy
from app.upstream.document import Document
from app.upstream.envelope import Parameters
from app.upstream.sources import Source

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
        section: the section of the vendor's manual (V19.0).
        script: the script below the base URL.
        do: the script's `do` parameter, if it takes one.
        encode: turns the input into upstream parameters.
        decode: turns the reply, seen beside the input it answers, into the public model. Raises `UnexpectedForm` for
            a reply that cannot be used and `NotFound` for one that shows that the resource is not there.
        effect: what the call does to the platform.
        root: the promised root element; None where plain text is promised.
        deadline: the class of its total deadline.
        tags: what a read depends on and what a write changes.
        secret_fields: upstream parameters whose values must never be shown.
        find_out: for writes, how a caller learns what became of one whose outcome is unknown.
        cache: for reads, how long answers may be kept; None keeps none.
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
    """An upstream operation whose reply may be of any size, and which is passed on as it comes.

    Args:
        name: the gateway's name, `noun.verb`; it stands in logs, metrics and errors.
        section: the section of the vendor's manual (V19.0).
        script: the script below the base URL.
        do: the script's `do` parameter, if it takes one.
        encode: turns the input into upstream parameters.
        source: how the reply's records are written and which public model each becomes.
        tags: what it depends on.
        secret_fields: upstream parameters whose values must never be shown.
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
