"""Event-loop lag, and gauges sampled from time to time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.telemetry.metrics import Metrics


class LoopLag:
    """Measures the event loop, and keeps gauges current for workers that are not asked themselves."""

    def __init__(self, metrics: Metrics, period: float = 0.5) -> None:
        self._metrics = metrics
        self._period = period

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context is open."""
        task = asyncio.get_running_loop().create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._period
            await asyncio.sleep(self._period)
            self._metrics.loop_lagged(max(loop.time() - due, 0.0))
            self._metrics.sample()
