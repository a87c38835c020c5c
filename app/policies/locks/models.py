"""The interface of locks by name."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

Name = tuple[str | int, ...]


class LockUnavailable(Exception):
    """The lock was not to be had in time, the store of locks cannot be used, or the lock was lost."""


class Possession(Protocol):
    """A lock that is held."""

    def ensure(self) -> None:
        """See that the lock is certainly still held, right before doing what it protects.

        Raises:
            LockUnavailable: it may be somebody else's by now.
        """


class NamedLocks(Protocol):
    """Hands out one lock per name."""

    def holding(self, name: Name, *, wait: float) -> AbstractAsyncContextManager[Possession]:
        """Hold the lock called `name` while the context is open; others who want it wait. It cannot be held twice.

        Args:
            name: what the lock protects; no secrets.
            wait: seconds to wait for it; 0 takes it only if it is free.

        Raises:
            LockUnavailable: it was not to be had in that time, or the store of locks cannot be used.
        """
