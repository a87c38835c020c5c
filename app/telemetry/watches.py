"""What is watched whether or not there are requests: the event loop, gauges, outages of the shared store."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from app.tasks import beside
from app.telemetry.metrics import Metrics


class LoopLag:
    """Measures the event loop, and keeps gauges current for workers that are not asked themselves."""

    def __init__(self, metrics: Metrics, period: float = 0.5) -> None:
        self._metrics = metrics
        self._period = period

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context is open."""
        async with beside(self._beat()):
            yield

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._period
            await asyncio.sleep(self._period)
            self._metrics.loop_lagged(max(loop.time() - due, 0.0))
            self._metrics.sample()


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
        async with beside(self._watch()):
            yield

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
