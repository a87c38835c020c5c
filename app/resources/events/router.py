"""Endpoint of events."""

import re
from functools import partial
from typing import Annotated

import orjson
from fastapi import Header, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.api.deps import Call, ReadCall, resource_router
from app.api.documentation import describes
from app.api.negotiation import accept_header, preferred
from app.api.openapi_answers import headers
from app.api.problems import problem_responses
from app.api.request_head import RequestHead, presented_key
from app.api.types import DIGITS
from app.errors import FieldError, Overloaded, ValidationFailed
from app.gateway.operation import Effect
from app.resources.events.schemas import TYPES, Events
from app.resources.events.stream import EventStream
from app.storage.events.log import number_of
from app.tenants.models import Scope

router = resource_router("/v1/events", "Events")

JSON, STREAM = "application/json", "text/event-stream"
_MOST_STREAMS, _MOST_OF_TENANT = 4000, 1000
_STREAMED = (
    "Events as they come (server-sent events): `id`, `event` and `data`, a comment every 15 seconds in which nothing"
    " happens. A client that reads too slowly is cut off and goes on where it was."
)
_EXAMPLE = 'id: evt_0642a8c1f3e9c0a1b2c3d4\nevent: campaign.finished\ndata: {"id":"evt_0642a8c1f3e9c0a1b2c3d4",…}\n\n'

Cursor = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
_TYPE = "|".join(map(re.escape, TYPES))
Types = Annotated[str, StringConstraints(pattern=f"^({_TYPE})(,({_TYPE}))*$", max_length=400)]


@router.get(
    "",
    summary="Read events",
    response_model=Events,
    responses={
        **problem_responses(ValidationFailed),
        200: {
            "headers": headers("Vary"),
            "content": {STREAM: {"schema": {"type": "string", "description": _STREAMED}, "example": _EXAMPLE}},
        },
    },
    openapi_extra=describes(Effect.READ, {}),
)
async def list_events(
    call: ReadCall,
    after: Annotated[
        Cursor | None,
        Query(description="The id of the event after which to begin; by default with the oldest that is kept."),
    ] = None,
    type: Annotated[  # noqa: A002 - the parameter's public name
        Types | None,
        Query(description="Only events of these types, with commas between.", examples=["campaign.finished"]),
    ] = None,
    limit: Annotated[int, Field(ge=1, le=500), DIGITS, Query(description="The most events of one answer.")] = 50,
    last_event_id: Annotated[
        Cursor | None,
        Header(
            alias="Last-Event-ID",
            description="For streams: the id of the last event that was received; it comes before `after`.",
        ),
    ] = None,
) -> Response:
    """Return what has happened: campaigns, reviews of templates, imports, domains, messages.

    The platform tells nobody. The gateway watches the account from the first time that events are asked for, for a day
    each time, or always, where its operator or a webhook wants that. What was there before is not told of. A stream
    (`Accept: text/event-stream`) begins with what happens from now on, unless it says after which event.
    """
    tenant, feed = call.caller.tenant, call.services.events
    types = type.split(",") if type else []
    await feed.want(tenant.id, tenant.events.requests_per_minute)
    if preferred(accept_header(call.request.headers), (JSON, STREAM)) == STREAM:
        return await _stream(call, last_event_id or after, types)
    events = await feed.read(tenant.id, _number("after", after, tenant.id) if after else 0, types, limit)
    zone = call.services.platform_clock.zone
    data = [orjson.Fragment(event.json(zone)) for event in events]
    body = orjson.dumps({"data": data, "next": events[-1].id if events else after})
    return Response(body, headers={"Cache-Control": "no-store", "Vary": "Accept"}, media_type=JSON)


async def _stream(call: Call, after: str | None, types: list[str]) -> Response:
    tenant, feed = call.caller.tenant.id, call.services.events
    number = await feed.last(tenant) if after is None else _number("after", after, tenant)
    if feed.count() >= _MOST_STREAMS or feed.count(tenant) >= _MOST_OF_TENANT:
        raise Overloaded("Too many streams of events are open.", headers={"Retry-After": "30"}, reason="streams")
    readiness = call.services.readiness
    presented = presented_key(RequestHead(call.request.scope["headers"]))
    return EventStream(
        feed,
        tenant,
        number,
        types,
        zone=call.services.platform_clock.zone,
        admitted=partial(call.services.credentials.still_good, presented, call.caller, Scope.READ),
        begun=call.request.state.places.close,
        ending=lambda: not readiness.serving,
    )


def _number(name: str, cursor: str, tenant: str) -> int:
    number = number_of(tenant, cursor)
    if number is None:
        error = FieldError("parameter", name, "unknown_event", "is not the id of an event")
        raise ValidationFailed("1 parameter refused.", [error])
    return number
