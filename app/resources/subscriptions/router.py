"""Endpoints of subscriptions."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from app.api.deps import GatewayDep, Writer, resource_router
from app.api.documentation import documents
from app.api.responses import answer
from app.api.types import Id
from app.resources.subscriptions import operations
from app.resources.subscriptions.schemas import Subscriptions, SubscriptionsAccepted, Unsubscriptions

router = resource_router("/v1/lists/{list_id}", "Subscriptions")

ListId = Annotated[Id, Path(description="The contact list's id.", examples=[78])]


@router.post(
    "/subscriptions",
    **documents(operations.SUBSCRIBE, summary="Subscribe people to a list", response_model=SubscriptionsAccepted),
)
async def subscribe_people(list_id: ListId, body: Subscriptions, gateway: GatewayDep, caller: Writer) -> Response:
    """Subscribe people to a list in one call; one bad entry refuses them all and nothing is sent."""
    request = operations.Subscribe(list_id, body.subscribers)
    return answer(await gateway.call(operations.SUBSCRIBE, request, caller))


@router.post(
    "/unsubscriptions",
    **documents(
        operations.UNSUBSCRIBE, summary="Unsubscribe addresses from a list", response_model=SubscriptionsAccepted
    ),
)
async def unsubscribe_addresses(
    list_id: ListId, body: Unsubscriptions, gateway: GatewayDep, caller: Writer
) -> Response:
    """Take addresses out of a list in one call; the platform remembers that they left."""
    request = operations.Unsubscribe(list_id, body.emails)
    return answer(await gateway.call(operations.UNSUBSCRIBE, request, caller))
