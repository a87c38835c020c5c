"""A transport whose small writes go out together, those of one answer and those of one moment.

Each write enters the kernel and may wake whoever reads. An answer is at least two writes, its head and its body; and of
answers to requests that have come together, the first would wake a reader who has gone to sleep again by the second.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import structlog

log = structlog.get_logger(__name__)

_LARGE = 65_536


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
                # The others' answers have nothing to do with it.
                log.exception("answer_not_written")


class CoalescingTransport:
    """Holds what is written back until the event loop's next turn, or until it is large.

    Everything else is the transport's own.

    Args:
        transport: what is written to.
        outbox: knows when the turn has come.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write, after what is held back."""
        if not self._held:
            self._outbox.add(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size >= _LARGE:
            self.flush()

    def close(self) -> None:
        """Close once everything is written."""
        self.flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are still to be written."""
        return self._size + self._transport.get_write_buffer_size()

    def flush(self) -> None:
        """Write what is held back; a connection that is gone takes nothing any more."""
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))


def coalescing(transport: asyncio.Transport, outbox: Outbox) -> asyncio.Transport:
    """Return a transport that writes what is small and of one moment together."""
    return cast("asyncio.Transport", CoalescingTransport(transport, outbox))
