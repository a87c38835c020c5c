"""Writes to several connections that go out together.

Each write enters the kernel and may wake whoever reads, on the same cores; what is written in one go wakes them once.
"""

import asyncio
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Outbox:
    """What has been written since the event loop's last turn."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def add(self, flush: Callable[[], None]) -> None:
        """Have something called on the loop's next turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._empty)
        self._waiting.append(flush)

    def _empty(self) -> None:
        waiting, self._waiting = self._waiting, []
        for flush in waiting:
            try:
                flush()
            except Exception:
                # The others have nothing to do with it.
                log.exception("not_written")
