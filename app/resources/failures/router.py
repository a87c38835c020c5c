"""Endpoints of delivery failures."""

from dataclasses import replace

from starlette.responses import Response

from app.api.deps import Call, ReadCall, resource_router
from app.api.documentation import export_documents
from app.api.exports import RawCells
from app.gateway.identifiers import find_statistics_id
from app.resources.failures import operations
from app.resources.failures.selection import AddressSelection, FailureSelection, Selection

router = resource_router("/v1/delivery-failures", "Delivery failures")


@router.get("", **export_documents(operations.FIND, summary="List delivery failures"))
async def list_delivery_failures(chosen: FailureSelection, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the addresses that did not get their message, and why.

    At least one of `date`, `campaign_id`, `batch` and `statistics_id` is needed, and at most one of the last three;
    the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` need one of these. The platform is asked
    for the days of a range one by one.
    """
    request = await _resolved(call, chosen)
    by_day = [replace(request, first_day=day, last_day=None) for day in chosen.days()]
    return call.export(operations.FIND, *by_day, raw_cells=raw_cells)


@router.get("/addresses", **export_documents(operations.ADDRESSES, summary="List undeliverable addresses"))
async def list_failed_addresses(chosen: AddressSelection, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the addresses that did not get their message, and nothing else.

    `date` is needed; the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` also need one of
    `campaign_id`, `batch` and `statistics_id`.
    """
    request = await _resolved(call, chosen)
    return call.export(operations.ADDRESSES, request, raw_cells=raw_cells)


async def _resolved(call: Call, chosen: Selection) -> operations.FindFailures:
    statistics_id = chosen.statistics_id
    if chosen.campaign_id is not None:
        statistics_id = await find_statistics_id(call.gateway, chosen.campaign_id, call.caller)
    return operations.FindFailures(chosen.first_day, chosen.last_day, chosen.reason, chosen.batch, statistics_id)
