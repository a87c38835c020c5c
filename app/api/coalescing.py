"""A transport whose small writes go out together, those of one answer and those of one moment.

Each write enters the kernel and may wake whoever reads. An answer is at least two writes, its head and its body; and of
answers to requests that have come together, the first would wake a reader who has gone to sleep again by the second.
"""

import asyncio
from typing import Any, cast

from app.outbox import Outbox

_LARGE = 65_536


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
