"""Endpoints of delivery failures."""

from starlette.responses import Response

from app.api.deps import GatewayDep, Reader, resource_router
from app.api.documentation import export_documents
from app.api.exports import ExportOutputDep
from app.gateway.call import Gateway
from app.gateway.context import Caller
from app.gateway.identifiers.operations import find_statistics_id
from app.resources.failures import operations
from app.resources.failures.selection import AddressSelection, FailureSelection, Selection

router = resource_router("/v1/delivery-failures", "Delivery failures")


@router.get("", **export_documents(operations.FIND, summary="List delivery failures"))
async def list_delivery_failures(
    chosen: FailureSelection, output: ExportOutputDep, gateway: GatewayDep, caller: Reader
) -> Response:
    """Return the addresses that did not get their message, and why.

    At least one of `date`, `campaign_id`, `batch` and `statistics_id` is needed, and at most one of the last three.
    """
    request = await _resolved(gateway, chosen, caller)
    return output.answer(gateway, operations.FIND, request, caller)


@router.get("/addresses", **export_documents(operations.ADDRESSES, summary="List undeliverable addresses"))
async def list_failed_addresses(
    chosen: AddressSelection, output: ExportOutputDep, gateway: GatewayDep, caller: Reader
) -> Response:
    """Return the addresses that did not get their message, and nothing else.

    `date` is needed; the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` also need one of
    `campaign_id`, `batch` and `statistics_id`.
    """
    request = await _resolved(gateway, chosen, caller)
    return output.answer(gateway, operations.ADDRESSES, request, caller)


async def _resolved(gateway: Gateway, chosen: Selection, caller: Caller) -> operations.FindFailures:
    statistics_id = chosen.statistics_id
    if chosen.campaign_id is not None:
        statistics_id = await find_statistics_id(gateway, chosen.campaign_id, caller)
    return operations.FindFailures(chosen.first_day, chosen.last_day, chosen.reason, chosen.batch, statistics_id)
