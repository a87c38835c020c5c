"""Endpoints of delivery failures."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.deps import GatewayDep, Reader
from app.api.documentation import documents
from app.api.pagination import Collection
from app.api.responses import answer
from app.gateway.call import Gateway
from app.gateway.context import Caller
from app.identifiers.operations import find_statistics_id
from app.resources.failures import operations
from app.resources.failures.schemas import DeliveryFailure, FailedAddress
from app.resources.failures.selection import AddressSelection, FailureSelection, Selection

router = APIRouter(prefix="/v1/delivery-failures", tags=["Delivery failures"])


@router.get(
    "",
    **documents(operations.FIND, summary="List delivery failures", response_model=Collection[DeliveryFailure]),
)
async def list_delivery_failures(chosen: FailureSelection, gateway: GatewayDep, caller: Reader) -> Response:
    """Return the addresses that did not get their message, and why.

    At least one of `date`, `campaign_id`, `batch` and `statistics_id` is needed, and at most one of the last three.
    """
    return answer(await gateway.call(operations.FIND, await _resolved(gateway, chosen, caller), caller))


@router.get(
    "/addresses",
    **documents(operations.ADDRESSES, summary="List undeliverable addresses", response_model=Collection[FailedAddress]),
)
async def list_failed_addresses(chosen: AddressSelection, gateway: GatewayDep, caller: Reader) -> Response:
    """Return the addresses that did not get their message, and nothing else.

    `date` is needed; the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` also need one of
    `campaign_id`, `batch` and `statistics_id`.
    """
    return answer(await gateway.call(operations.ADDRESSES, await _resolved(gateway, chosen, caller), caller))


async def _resolved(gateway: Gateway, chosen: Selection, caller: Caller) -> operations.FindFailures:
    statistics_id = chosen.statistics_id
    if chosen.campaign_id is not None:
        statistics_id = await find_statistics_id(gateway, chosen.campaign_id, caller)
    return operations.FindFailures(chosen.first_day, chosen.last_day, chosen.reason, chosen.batch, statistics_id)
