"""An export on its way: rows in batches, the first of them read before anything is answered."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from app.gateway.failures import transport_error, unusable
from app.gateway.operation import Export
from app.upstream.document import Document, UnexpectedForm
from app.upstream.exports import ExportReader
from app.upstream.sources import Row
from app.upstream.wire import TransportFailure

Rows = list[Row]

_LINGER_SECONDS = 0.02
_ENOUGH_ROWS = 512
_LARGE = 256 * 1024
"""Characters that may take too long to be read on the event loop."""


async def rows_of(
    export: Export[Any], chunks: AsyncGenerator[bytes], reader: ExportReader, document: Document
) -> AsyncGenerator[Rows]:
    """Yield an export's rows in batches as the platform writes them; the event loop gets its turn after each.

    Raises:
        GatewayError: the reply cannot be used, or breaks off.
    """
    try:
        while not reader.ended:
            chunk = await anext(chunks, None)
            if chunk is None:
                reader.end()
            else:
                reader.feed(chunk)
            while (rows := await _taken(reader)) is not None:
                if rows:
                    yield rows
                await asyncio.sleep(0)
    except UnexpectedForm as unexpected:
        raise unusable(export, document.redact(str(unexpected))) from None
    except TransportFailure as failure:
        raise transport_error(export, failure) from failure


async def _taken(reader: ExportReader) -> Rows | None:
    # A long record cannot be cut up.
    return await asyncio.to_thread(reader.take) if reader.held > _LARGE else reader.take()


class RowStream:
    """The rows of an export that has begun; its time is over at `deadline`, on the event loop's clock."""

    def __init__(self, batches: AsyncGenerator[Rows], deadline: float) -> None:
        self._batches = batches
        self._ahead: asyncio.Task[Rows | None] | None = None
        self.deadline = deadline
        self.first: Rows = []
        """The first rows; none only if there are none at all."""
        self.complete = False
        """Whether the first rows are all rows."""

    async def begin(self) -> None:
        """Read the first rows, and then for a moment more: a reply that ends by then is known to be whole.

        Raises:
            GatewayError: the reply cannot be used.
        """
        clock = asyncio.get_running_loop().time
        self.first = await self._next() or []
        self.complete = not self.first
        until = clock() + _LINGER_SECONDS
        while not self.complete and len(self.first) < _ENOUGH_ROWS:
            self._ahead = asyncio.create_task(self._next())
            done, _ = await asyncio.wait({self._ahead}, timeout=until - clock())
            if not done:
                return
            rows = await self._take_ahead()
            self.first += rows or []
            self.complete = rows is None

    async def rest(self) -> AsyncIterator[Rows]:
        """Yield the rows behind the first; raises `GatewayError` where the reply breaks off or cannot be used."""
        if self.complete:
            return
        if self._ahead is not None:
            rows = await self._take_ahead()
            if rows is None:
                return
            yield rows
        async for rows in self._batches:
            yield rows

    async def abandon(self) -> None:
        """Stop reading ahead."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _next(self) -> Rows | None:
        return await anext(self._batches, None)

    async def _take_ahead(self) -> Rows | None:
        ahead, self._ahead = self._ahead, None
        return await ahead if ahead else None


@asynccontextmanager
async def read_ahead(batches: AsyncGenerator[Rows], deadline: float) -> AsyncIterator[RowStream]:
    """Begin to read and give the rows; leaving stops the reading.

    Raises:
        GatewayError: the reply cannot be used.
    """
    async with aclosing(batches):
        rows = RowStream(batches, deadline)
        try:
            await rows.begin()
            yield rows
        finally:
            await rows.abandon()
