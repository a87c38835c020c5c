"""One attempt of a call, and the time it has."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from app.gateway.context import CallTrace
from app.policies.breaker import CallHealth
from app.policies.breakers import Permits

_LAST_ATTEMPT = 3
_SHORTEST_ATTEMPT = 1.0


class Deadline(NamedTuple):
    """When the time of a call as a whole is over, on the event loop's clock."""

    at: float
    hurried: bool = False
    """Whether the caller set it, shorter than the gateway would have."""

    def of_attempt(self, repeatable: bool, number: int) -> float:
        """Return when one attempt's time is over: a repeatable call leaves half of what is left for another attempt."""
        if not repeatable or number >= _LAST_ATTEMPT:
            return self.at
        now = asyncio.get_running_loop().time()
        return now + max((self.at - now) / 2, min(_SHORTEST_ATTEMPT, self.at - now))


@dataclass(slots=True)
class Attempt:
    """One attempt that was admitted, the first being number 1."""

    operation: str
    number: int
    deadline: float
    permits: Permits
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    """The HTTP status, once there is one."""
    outcome: str = "aborted"
    """`ok`, or the code of the error it ended in."""
    trace: CallTrace | None = None

    def answered(self) -> None:
        """Report that the platform works, for a reply that is still to be passed on for long."""
        self.permits.done(CallHealth.GOOD, self.seconds())

    def seconds(self) -> float:
        """Return how long it has been under way."""
        return time.perf_counter() - self.started
