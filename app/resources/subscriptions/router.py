"""Endpoints of subscriptions."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from app.api.deps import WriteCall, resource_router
from app.api.documentation import documents
from app.api.responses import answer
from app.api.types import Id
from app.resources.subscriptions import operations
from app.resources.subscriptions.schemas import (
    Subscriptions,
    SubscriptionsAccepted,
    Unsubscriptions,
    UnsubscriptionsAccepted,
)

router = resource_router("/v1/lists/{list_id}", "Subscriptions")

ListId = Annotated[Id, Path(description="The contact list's id.", examples=[418801])]


@router.post(
    "/subscriptions",
    **documents(operations.SUBSCRIBE, summary="Subscribe people to a list", response_model=SubscriptionsAccepted),
)
async def subscribe_people(list_id: ListId, body: Subscriptions, call: WriteCall) -> Response:
    """Subscribe people to a list in one call; one bad entry refuses them all and nothing is sent."""
    request = operations.Subscribe(list_id, body.subscribers)
    return answer(await call.run(operations.SUBSCRIBE, request))


@router.post(
    "/unsubscriptions",
    **documents(
        operations.UNSUBSCRIBE, summary="Unsubscribe addresses from a list", response_model=UnsubscriptionsAccepted
    ),
)
async def unsubscribe_addresses(list_id: ListId, body: Unsubscriptions, call: WriteCall) -> Response:
    """Take addresses out of a list in one call; the platform remembers that they left.

    Any address that the platform may hold is taken. What cannot be one is listed in `refused` and keeps nobody else
    from leaving.
    """
    request = operations.Unsubscribe.of(list_id, body.emails)
    return answer(await call.run(operations.UNSUBSCRIBE, request))
