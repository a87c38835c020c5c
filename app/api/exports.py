"""Answering with an export: negotiated, streamed, and cut off where it cannot be brought to its end."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.negotiation import accept_header, preferred, prefers_gzip
from app.api.responses import ResponseAborted
from app.api.tables import CSV, JSON, NDJSON, CsvTable, GzipTable, JsonTable, NdjsonTable, Table
from app.api.types import Flag
from app.errors import GatewayError
from app.gateway.call import Gateway
from app.gateway.context import Caller
from app.gateway.operation import Export, In
from app.gateway.streaming import Rows, RowStream, read_ahead

MEDIA_TYPES = (JSON, NDJSON, CSV)

_GRACE = 1.0
"""Seconds past the deadline, so that a platform that is late is not taken for a client that does not read."""

RawCells = Annotated[
    Flag,
    Query(
        description="CSV only: leave cells as they are that a spreadsheet would take for formulas. Otherwise a `'` "
        "stands before `=`, `+`, `-`, `@`, a tab or a line break where a cell begins, or would begin behind a `;`."
    ),
]


@dataclass(frozen=True, slots=True)
class ExportOutput:
    """How a caller wants an export.

    Args:
        file_name: what the export is called, without an extension.
    """

    media_type: str
    gzip: bool
    raw_cells: bool
    file_name: str

    def headers(self) -> dict[str, str]:
        """Return the headers that tell what was negotiated."""
        headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        if self.media_type == CSV:
            headers["Content-Disposition"] = f'attachment; filename="{self.file_name}.csv"'
        return headers

    def table(self, model: type[BaseModel]) -> Table:
        """Return what writes the rows."""
        table: Table
        if self.media_type == CSV:
            table = CsvTable(model, raw_cells=self.raw_cells)
        else:
            table = NdjsonTable() if self.media_type == NDJSON else JsonTable()
        return GzipTable(table) if self.gzip else table


def export_output(request: Request, *, raw_cells: bool) -> ExportOutput:
    """Negotiate (RFC 9110, section 12); that something will do has been checked with the rest of the request."""
    media_type = preferred(accept_header(request.headers), MEDIA_TYPES) or JSON
    gzip = prefers_gzip(",".join(request.headers.getlist("accept-encoding")))
    path = request.url.path.rpartition("/v1/")[2].removesuffix("/export")
    return ExportOutput(media_type, gzip, raw_cells, re.sub(r"[^A-Za-z0-9]+", "-", path))


@asynccontextmanager
async def in_turn(
    gateway: Gateway, export: Export[In], requests: Sequence[In], caller: Caller
) -> AsyncIterator[RowStream]:
    """Begin an export that takes several requests; the records of each follow those of the one before."""
    first, *others = requests
    async with AsyncExitStack() as stack:
        begun = await stack.enter_async_context(gateway.export(export, first, caller))
        if not others:
            yield begun
            return

        async def batches() -> AsyncGenerator[Rows]:
            async with stack:
                async for rows in _batches(begun):
                    yield rows
            for request in others:
                async with gateway.export(export, request, caller) as next_rows:
                    async for rows in _batches(next_rows):
                        yield rows

        now = asyncio.get_running_loop().time()
        async with read_ahead(batches(), now + (begun.deadline - now) * len(requests)) as rows:
            yield rows


async def _batches(rows: RowStream) -> AsyncGenerator[Rows]:
    if rows.first:
        yield rows.first
    async for batch in rows.rest():
        yield batch


class ExportResponse(Response):
    """Carries out an export while it is answered; whatever breaks before the first rows is raised as it is.

    The client going away ends the call to the platform; its not reading on stops the reading from there.
    """

    def __init__(self, export: AbstractAsyncContextManager[RowStream], output: ExportOutput, table: Table) -> None:
        self._export = export
        self._table = table
        self._started = False
        self.status_code = 200
        self.media_type = output.media_type
        self.background = None
        self.init_headers(output.headers())

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer.

        Raises:
            GatewayError: the export cannot be had; nothing has been sent.
            ResponseAborted: it broke off after the first rows had been sent, or the client went away.
        """
        answering = asyncio.create_task(self._answer(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ResponseAborted("client_disconnected", "The client went away.")
            await answering
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, send: Send) -> None:
        try:
            async with self._export as rows, asyncio.timeout_at(rows.deadline + _GRACE):
                await self._send(rows, send)
        except GatewayError as error:
            if not self._started:
                raise
            raise ResponseAborted(error.code, error.detail) from None
        except TimeoutError:
            raise ResponseAborted("client_too_slow", "The client did not read the export in time.") from None

    async def _send(self, rows: RowStream, send: Send) -> None:
        body = self._table.head() + self._table.rows(rows.first)
        if rows.complete:
            body += self._table.tail()
            self.headers["Content-Length"] = str(len(body))
        self._started = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send(_part(body, more=not rows.complete))
        async for batch in rows.rest():
            await send(_part(self._table.rows(batch), more=True))
        if not rows.complete:
            await send(_part(self._table.tail(), more=False))


def _part(body: bytes, *, more: bool) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
