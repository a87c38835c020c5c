"""What endpoints that read ask for: answers as JSON, kept ones included, with everything HTTP says of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.caching import RawHeaders, cached_message, directives_of
from app.api.deps import Manager, Reader
from app.api.entrance.shortcut import KnownReads
from app.api.pagination import Page, link_header
from app.gateway.context import Caller
from app.gateway.operation import In, Operation
from app.gateway.reading import Reading


class Reads:
    """Answers one request's read.

    Args:
        request: the request.
        caller: for whom.
    """

    def __init__(self, request: Request, caller: Caller) -> None:
        self._request = request
        self._caller = caller

    async def answer(self, operation: Operation[In, Any], query: In) -> Response:
        """Return the resource or the collection that an operation reads.

        Raises:
            GatewayError: it is not there or cannot be had.
        """
        return await self._respond(operation, query, {})

    async def page(self, operation: Operation[In, Page[Any]], query: In) -> Response:
        """Return one page of a collection, with its `Link` header.

        Raises:
            GatewayError: it cannot be had.
        """
        return await self._respond(operation, query, None)

    async def _respond(self, operation: Operation[In, Any], query: In, headers: Mapping[str, str] | None) -> Response:
        request, state = self._request, self._request.app.state
        reading: Reading = state.reading

        def headers_of(result: Any) -> Mapping[str, str]:
            return headers if headers is not None else {"Link": link_header(request, result.pagination)}

        place, served = await reading.read(operation, query, self._caller, directives_of(request.headers), headers_of)
        if served.answer.windows.fresh > 0:
            known: KnownReads = state.known_reads
            known.remember(request.scope, self._caller, place)
        status, raw, body = cached_message(served, request.headers.get("if-none-match"))
        return RawResponse(status, raw, body)


class RawResponse(Response):
    """An answer whose bytes are ready to go out.

    Args:
        status: its status.
        headers: all its headers, names in lower case.
        body: its body.
    """

    def __init__(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = headers

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


async def reads(request: Request, caller: Reader) -> Reads:
    """Return what answers the reads of a caller who may read."""
    return Reads(request, caller)


async def manager_reads(request: Request, caller: Manager) -> Reads:
    """Return what answers the reads of a caller who may act for sub-accounts."""
    return Reads(request, caller)


ReadsDep = Annotated[Reads, Depends(reads)]
ManagerReadsDep = Annotated[Reads, Depends(manager_reads)]
