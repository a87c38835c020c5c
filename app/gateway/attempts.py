"""Everything between a call and the wire: admission, and trying again where that does no harm.

Each try passes the same gates in the same order: the tenant's login is not known to be refused; the tenant and the
platform have a slot free; the platform's circuit breaker is closed; the quota of campaigns has one left. What a try
ends in is told to the gates it has passed.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.errors import GatewayError
from app.gateway.context import Caller
from app.gateway.failures import Called
from app.gateway.judgement import may_repeat, wait_hint
from app.gateway.passage import Deadline, Gates, Observer, Passage
from app.policies.retry import Retrier

Result = TypeVar("Result")


class Attempts:
    """Carries out calls, in as many tries as are safe and worth while.

    Args:
        gates: what every try must pass.
        retrier: decides on further tries.
        observer: told of every try.
    """

    def __init__(self, gates: Gates, retrier: Retrier, observer: Observer) -> None:
        self._gates = gates
        self._retrier = retrier
        self._observer = observer

    def run(
        self, operation: Called, caller: Caller, deadline: Deadline, once: Callable[[int], Awaitable[Result]]
    ) -> Awaitable[Result]:
        """Return what awaits `once`, called with the number of the try until it succeeds or must not go on.

        Awaiting it raises the `GatewayError` of the last try.
        """

        def waiting(error: Exception, seconds: float) -> None:
            outcome = error.code if isinstance(error, GatewayError) else "aborted"
            self._observer.retrying(caller.context, operation.name, outcome, seconds)

        return self._retrier.run(
            once,
            upstream=caller.tenant.upstream.base_url,
            deadline=deadline.at,
            repeatable=lambda error: may_repeat(operation, error),
            wait_hint=wait_hint,
            waiting=waiting,
        )

    def one(self, operation: Called, caller: Caller, deadline: Deadline, number: int) -> Passage:
        """Return a context that passes the gates, gives one try, and tells the gates what it ends in.

        Entering it raises `GatewayError` where a gate is closed; nothing was sent then.
        """
        return Passage(self._gates, self._observer, operation, caller, deadline, number)
