"""When keys were last used, to some minutes and at no cost to the requests that use them."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import structlog

from app.errors import DatabaseError

log = structlog.get_logger(__name__)

Use = tuple[str, str]
Touch = Callable[[Mapping[Use, datetime]], Awaitable[None]]

_MOST = 50_000


class KeyUsage:
    """Collects which keys are used; each is written down at most once in a while.

    Args:
        touch: writes down when keys were used.
        apart: seconds in which further uses of a key are not noted.
        monotonic: returns seconds that only grow.
    """

    def __init__(self, touch: Touch, *, apart: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._touch = touch
        self._apart = apart
        self._monotonic = monotonic
        self._noted: dict[Use, float] = {}
        self._waiting: dict[Use, datetime] = {}

    def note(self, tenant_id: str, key_id: str) -> None:
        """Note that a key is being used."""
        use = tenant_id, key_id
        moment = self._monotonic()
        if moment - self._noted.get(use, -self._apart) < self._apart:
            return
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[use] = moment
        self._waiting[use] = datetime.now(UTC)

    async def flush(self) -> None:
        """Write down what was noted since the last time; where that fails, later uses will be noted again."""
        uses, self._waiting = self._waiting, {}
        try:
            if uses:
                await self._touch(uses)
        except DatabaseError as error:
            log.warning("key_usage_not_written", keys=len(uses), reason=str(error))
