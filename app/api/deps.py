"""The one thing that endpoints depend on: a call by an authorized caller."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Security
from starlette.responses import Response

from app.api.caching import CachedResponse, composed, directives_of, note_planned
from app.api.exports import ExportResponse, export_output, in_turn
from app.api.rate_limits import count_request
from app.api.request_head import RequestHead
from app.api.responses import CollectionUrl, containing, link_header
from app.api.routing import ResourceRoute, require, strict_router
from app.errors import StateUnavailable
from app.gateway.aggregates import Aggregate
from app.gateway.cached_reads import Headers
from app.gateway.call import Gateway
from app.gateway.context import Caller
from app.gateway.operation import Export, In, Operation, Out
from app.gateway.pages import Page
from app.policies.cache.model import Directives, Served
from app.services import Services
from app.storage.events import watching


class Call:
    """One request of a caller who may make it."""

    __slots__ = ("caller", "request", "services")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.services = services_of(request)
        self.caller: Caller = request.state.context.caller

    @property
    def gateway(self) -> Gateway:
        """What calls the platform."""
        return self.services.gateway

    async def run(self, operation: Operation[In, Out], request: In) -> Out:
        """Call the platform, past the cache."""
        return await self.services.gateway.call(operation, request, self.caller)

    async def read(self, operation: Operation[In, Any], query: In) -> Response:
        """Answer with the resource or the collection that an operation reads, cached or not."""
        return await self._respond(operation, query, _no_headers)

    async def page(self, operation: Operation[In, Page[Any]], query: In) -> Response:
        """Answer with one page of a collection and its `Link` header."""
        return await self._respond(operation, query, partial(_links, CollectionUrl.of(self.request)))

    def export(self, export: Export[In], *queries: In, raw_cells: bool) -> Response:
        """Answer with a stream of all records of one query or several, in the form that the request prefers."""
        output = export_output(self.request, raw_cells=raw_cells)
        rows = in_turn(self.gateway, export, queries, self.caller)
        return ExportResponse(rows, output, output.table(export.source.model))

    async def watch(self, kind: str, name: str | int, state: Mapping[str, Any] | None = None) -> None:
        """Have what becomes of a resource told as events, if anybody wants those."""
        # Without it events come later, or not at all; what was carried out is no less carried out.
        with suppress(StateUnavailable):
            await self.services.writes.transaction(
                partial(watching.watch, self.caller.tenant.id, kind, name, state=state)
            )

    async def fetch(self, operation: Operation[In, Any], query: In, *, counted: bool = False) -> Served:
        """Read for an answer that is made of several reads; `counted` counts a call of the platform as a request."""
        planned = self.services.reading.plan(operation, query, self.caller.tenant, _no_headers)
        admit = self._count if counted else None
        return await self.services.reading.read(planned, self.caller, self._directives(), admit)

    async def read_containing(self, operation: Operation[None, Any], text: str | None, *fields: str) -> Response:
        """Answer with a collection, or with those of its items that hold a text in one of some fields."""
        if not text:
            return await self.read(operation, None)
        served = await self.fetch(operation, None)
        found = containing(orjson.loads(served.entry.body)["data"], text, *fields)
        return self.answer(composed(orjson.dumps({"data": found}), [served]))

    async def aggregate(self, aggregate: Aggregate[In], query: In) -> Served:
        """Read the figures of an export; its call of the platform counts as a request."""
        return await self.services.reading.aggregate(aggregate, query, self.caller, self._directives(), self._count)

    def answer(self, served: Served) -> Response:
        """Answer with what has been read."""
        return CachedResponse(served, RequestHead(self.request.scope["headers"]))

    async def _count(self) -> None:
        await count_request(self.services.limiter, self.caller, self.services.observer)

    def _directives(self) -> Directives:
        return directives_of(RequestHead(self.request.scope["headers"]))

    def require(self, *scopes: str) -> None:
        """Check for scopes that depend on what the body says.

        Raises:
            InsufficientScope: the key lacks one of them.
        """
        require(self.caller, *scopes)

    async def _respond(self, operation: Operation[In, Any], query: In, headers: Headers) -> Response:
        reading = self.services.reading
        planned = reading.plan(operation, query, self.caller.tenant, headers)
        note_planned(self.request.scope, planned)
        head = RequestHead(self.request.scope["headers"])
        return CachedResponse(await reading.read(planned, self.caller, directives_of(head)), head)


def services_of(request: Request) -> Services:
    """Return the application's services."""
    services: Services = request.app.state.services
    return services


def _no_headers(_result: Any) -> Mapping[str, str]:
    return {}


def _links(url: CollectionUrl, page: Page[Any]) -> Mapping[str, str]:
    return {"Link": link_header(url, page.pagination)}


async def call(request: Request) -> Call:
    """Return the call; `ResourceRoute` reads the scopes it needs, and the edge has checked them."""
    return Call(request)


ReadCall = Annotated[Call, Security(call, scopes=["read"])]
WriteCall = Annotated[Call, Security(call, scopes=["write"])]
SendCall = Annotated[Call, Security(call, scopes=["send"])]
WebhookCall = Annotated[Call, Security(call, scopes=["webhooks"])]
ManageCall = Annotated[Call, Security(call, scopes=["manage"])]
AnyScopeCall = Annotated[Call, Security(call)]
"""For routes that `documents(any_scope=…)` describes."""


def resource_router(prefix: str, tag: str) -> APIRouter:
    """Return a router of resources, filed under a tag of the document."""
    return strict_router(prefix, tag, route_class=ResourceRoute)
