"""How long answers may be kept: declared per operation, overridden by the operator per operation and per tenant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from app.policies.cache.model import Windows

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", contravariant=True)

Lifetimes = Mapping[str, float]
"""Seconds by an operation's name; `*` stands for all that are not named, and 0 keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy(Generic[In, Out]):
    """How long one operation's answers may be kept.

    Args:
        lifetime: seconds for which an answer is fresh.
        stale_while_revalidate: seconds after that for which it is still given while a newer one is fetched (RFC 5861).
        stale_if_error: seconds after its lifetime for which it is given where the platform fails (RFC 5861).
        negative: seconds for which it is remembered that something is not there.
        settled: tells of a request, its answer and the time whether the answer is not going to change any more.
        settled_lifetime: seconds for which such an answer is fresh.
    """

    lifetime: float
    stale_while_revalidate: float
    stale_if_error: float = 3600.0
    negative: float = 5.0
    settled: Callable[[In, Out, datetime], bool] | None = None
    settled_lifetime: float = 3600.0

    def windows(self, request: In, result: Out, now: Callable[[], datetime], override: float | None) -> Windows:
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
