"""What the read cache asks of a store."""

import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from app.policies.cache.model import Answer, Place

Stamp = tuple[bytes, ...]
"""The tokens that an answer depends on: of everything, of its tenant, of each of its tags."""


def new_token() -> bytes:
    """Return a token that never was and never will be again."""
    return secrets.token_bytes(12)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a store knows about a place at one moment.

    Args:
        answer: what is stored and valid, however old.
        stamp: the tokens of that moment.
        level_stamp: the same for the first level, whose tokens are the process's own.
        storable: whether an answer fetched from now on may be stored at all; not while a tag is being written.
        shared: whether the answer came from the shared store.
        certain: whether the stamp tells of every write that has ended.
    """

    answer: Answer | None
    stamp: Stamp
    level_stamp: Stamp
    storable: bool
    shared: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A write: whose, what it touches, and a name that tells it from others."""

    tenant: str
    tags: tuple[str, ...]
    writer: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch on behalf of all replicas; `token` proves it."""

    name: str
    token: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process itself holds: answers, the bytes they take, and how many have made room for others so far."""

    entries: int
    size: int
    evicted: int


class CacheStore(Protocol):
    """Keeps answers together with the tokens they were read under.

    No method raises because the store cannot be reached, nor waits for it longer than one short time-out.
    """

    def running(self, failed: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Work while the context is open.

        Args:
            failed: called with the action whenever the store fails.
        """

    def usage(self) -> Usage:
        """Return what this process itself holds."""

    def peek(self, place: Place) -> Answer | None:
        """Return what this process itself holds that is valid, however old."""

    async def look(self, place: Place, *, afresh: bool = False) -> Lookup:
        """Return what is known about a place, in one round trip.

        Args:
            afresh: whether the answer must not be that to a look that began before this one.
        """

    async def put(self, place: Place, lookup: Lookup, answer: Answer, seconds: float, lease: Lease | None) -> bool:
        """Store an answer for a time, unless a token changed since `lookup`, which must have been storable.

        A lease is given up with it, either way.
        """

    async def acquire(self, place: Place, lookup: Lookup, seconds: float) -> Lease | None:
        """Return the right to fetch, for so many seconds, or None if another replica has it."""

    async def release(self, lease: Lease) -> None:
        """Give the right to fetch back."""

    async def begin(self, change: Change, seconds: float) -> None:
        """Make everything with the change's tags invalid, and keep such answers out until its end.

        Args:
            change: the write that begins.
            seconds: after which the write is over, even if nobody says so.
        """

    async def end(self, change: Change) -> None:
        """Make everything with the change's tags invalid again; it is gone everywhere when this returns."""

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        """Make everything invalid, or what belongs to a tenant, or to one of its tags."""
