"""Outages of the shared store: one log line when it is lost, one when it is back.

The database tells of its own outages, whose causes it knows; it is asked here so that it notices without requests.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog

log = structlog.get_logger(__name__)

_CONSEQUENCE = "answers are not shared, and each process keeps limits of its own until it is back"


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
        self._lost_at: float | None = None

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
        lost = parts["state"] != "ok"
        if lost and self._lost_at is None:
            self._lost_at = self._monotonic()
            log.warning("store_lost", consequence=_CONSEQUENCE)
        elif not lost and self._lost_at is not None:
            log.warning("store_back", outage_seconds=round(self._monotonic() - self._lost_at, 1))
            self._lost_at = None
