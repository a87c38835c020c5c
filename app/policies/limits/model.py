"""What limits are made of, and how they are written in headers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Quota(NamedTuple):
    """How often something may be done: `amount` times in `seconds`; `name` goes into headers."""

    name: str
    amount: int
    seconds: int


class Standing(NamedTuple):
    """How much of a quota is left, and in how many seconds there is more."""

    quota: Quota
    remaining: int
    reset: float


class Decision(NamedTuple):
    """Whether it may be done, how each quota stands, and after how many seconds it is worth asking again."""

    allowed: bool
    standings: tuple[Standing, ...] = ()
    retry_after: float = 0.0


UNLIMITED = Decision(allowed=True)
"""What is decided while nobody can count: a lost store must not stop the service."""


class RateLimiter(Protocol):
    """Counts requests."""

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request against each quota of a subject, the last one first; the first that is used up refuses."""

    def at_hand(self, quotas: Sequence[tuple[str, Quota]]) -> Callable[[], Decision] | None:
        """Return what counts one request, and allows it, out of what has been counted ahead; nothing is counted yet.

        It is to be called before anybody else gets to run, or not at all. None where `hit` has to decide.
        """
