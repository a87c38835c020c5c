"""Outages of the parts that requests rest on: one log line when a part is lost, one when it is back."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog

log = structlog.get_logger(__name__)

_CONSEQUENCES: Mapping[str, str] = {
    "database": "new tenants and keys are unknown, and nothing is sent until it is back",
    "state": "answers are not shared, and each process keeps limits of its own until it is back",
}

_LOST: Mapping[str, str] = {"database": "database_lost", "state": "store_lost"}
_BACK: Mapping[str, str] = {"database": "database_back", "state": "store_back"}


class OutageWatch:
    """Asks from time to time how the parts are, whether or not there are requests."""

    def __init__(
        self,
        parts: Callable[[], Awaitable[Mapping[str, str]]],
        *,
        period: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._period = period
        self._monotonic = monotonic
        self._lost_at: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while the context is open."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            try:
                self.note(await self._parts())
            except Exception:
                log.exception("outage_watch_failed")

    def note(self, parts: Mapping[str, str]) -> None:
        """Log what has changed since the last time."""
        for name, condition in parts.items():
            if condition != "ok" and name not in self._lost_at:
                self._lost_at[name] = self._monotonic()
                level = log.error if name == "database" else log.warning
                level(_LOST.get(name, "part_lost"), part=name, consequence=_CONSEQUENCES.get(name))
            elif condition == "ok" and name in self._lost_at:
                seconds = self._monotonic() - self._lost_at.pop(name)
                log.warning(_BACK.get(name, "part_back"), part=name, outage_seconds=round(seconds, 1))
