"""What endpoints that read ask for: answers as JSON, kept ones included, with everything HTTP says of them."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.caching import CachedMessage, cached_message, directives_of
from app.api.deps import Manager, Reader
from app.api.entrance.head import RequestHead
from app.api.entrance.shortcut import KnownReads
from app.api.pagination import CollectionUrl, Page, link_header
from app.gateway.context import Caller
from app.gateway.operation import In, Operation
from app.gateway.reading import Headers, Reading


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
        return await self._respond(operation, query, _no_headers)

    async def page(self, operation: Operation[In, Page[Any]], query: In) -> Response:
        """Return one page of a collection, with its `Link` header.

        Raises:
            GatewayError: it cannot be had.
        """
        return await self._respond(operation, query, partial(_links, CollectionUrl.of(self._request)))

    async def _respond(self, operation: Operation[In, Any], query: In, headers: Headers) -> Response:
        request, state = self._request, self._request.app.state
        reading: Reading = state.reading
        planned = reading.plan(operation, query, self._caller.tenant, headers)
        known: KnownReads = state.known_reads
        known.remember(request.scope, self._caller, planned)
        served = await reading.read(planned, self._caller, directives_of(RequestHead(request.scope["headers"])))
        return RawResponse(cached_message(served, request.headers.get("if-none-match")))


def _no_headers(_result: Any) -> Mapping[str, str]:
    return {}


def _links(url: CollectionUrl, page: Page[Any]) -> Mapping[str, str]:
    return {"Link": link_header(url, page.pagination)}


class RawResponse(Response):
    """An answer whose bytes are ready to go out.

    Args:
        message: the answer.
    """

    def __init__(self, message: CachedMessage) -> None:
        self.status_code = message.status
        self.body = message.body
        self.background = None
        self.raw_headers = message.headers

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
