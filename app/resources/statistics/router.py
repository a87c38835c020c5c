"""Endpoints of statistics."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.api.deps import Call, ReadCall, resource_router
from app.api.documentation import documents, export_documents
from app.api.exports import RawCells
from app.api.types import Batch, Id, IsoDate
from app.gateway.identifiers import find_statistics_id
from app.gateway.pages import Collection
from app.resources.statistics import operations
from app.resources.statistics.days import campaigns_of
from app.resources.statistics.failures import FAILED_ADDRESSES, FIND_FAILURES, FindFailures
from app.resources.statistics.schemas import CampaignStatistics, CreditStatistics, DailyStatistics
from app.resources.statistics.selection import AddressSelection, DayRange, FailureSelection, Selection

router = resource_router("/v1", "Statistics")

DayOfPath = Annotated[IsoDate, Path(alias="date", description="A day of the platform.", examples=["2026-03-02"])]
Day = Annotated[IsoDate, Query(alias="date", description="A day of the platform.", examples=["2026-03-02"])]
CampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500001])]
BatchOfPath = Annotated[Batch, Path(description="The campaign's batch number.", examples=["20260302093000-2369-1"])]


@router.get(
    "/statistics/daily/{date}",
    **documents(operations.DAILY, summary="Get the statistics of a day", response_model=DailyStatistics),
)
async def get_daily_statistics(day: DayOfPath, call: ReadCall) -> Response:
    """Return what the account sent on one day."""
    return await call.read(operations.DAILY, day)


@router.get(
    "/statistics/campaigns",
    **documents(
        operations.LIST,
        summary="List the statistics of a day's campaigns",
        response_model=Collection[CampaignStatistics],
    ),
)
async def list_campaign_statistics(days: DayRange, call: ReadCall) -> Response:
    """Return what became of the messages of each campaign of a day, or of up to 31.

    The platform tells batch numbers alone; the campaigns' ids are looked up. Each call of the platform counts as a
    request: two for a day on which something was sent.
    """
    return await campaigns_of(call, days)


@router.get(
    "/campaigns/{campaign_id}/statistics",
    **documents(operations.GET, summary="Get a campaign's statistics", response_model=CampaignStatistics),
)
async def get_campaign_statistics(campaign_id: CampaignId, call: ReadCall) -> Response:
    """Return what became of one campaign's messages; 404 before it has been sent."""
    return await call.read(operations.GET, campaign_id)


@router.get(
    "/batches/{batch}/statistics",
    **documents(operations.GET, summary="Get a batch's statistics", response_model=CampaignStatistics),
)
async def get_batch_statistics(batch: BatchOfPath, call: ReadCall) -> Response:
    """Return what became of the messages of the campaign with this batch number; 404 before it has been sent."""
    return await call.read(operations.GET, batch)


@router.get(
    "/statistics/credits",
    **documents(
        operations.CREDITS, summary="List the credits charged on a day", response_model=Collection[CreditStatistics]
    ),
)
async def list_credit_statistics(day: Day, call: ReadCall) -> Response:
    """Return what one day's sending cost; for a single campaign see its statistics."""
    return await call.read(operations.CREDITS, day)


failures = resource_router("/v1/delivery-failures", "Delivery failures")


@failures.get("", **export_documents(FIND_FAILURES, summary="List delivery failures"))
async def list_delivery_failures(chosen: FailureSelection, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the addresses that did not get their message, and why.

    At least one of `date`, `campaign_id`, `batch` and `statistics_id` is needed, and at most one of the last three;
    the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` need one of these. The platform is asked
    for the days of a range one by one.
    """
    request = await _resolved(call, chosen)
    by_day = [replace(request, first_day=day, last_day=None) for day in chosen.days()]
    return call.export(FIND_FAILURES, *by_day, raw_cells=raw_cells)


@failures.get("/addresses", **export_documents(FAILED_ADDRESSES, summary="List undeliverable addresses"))
async def list_failed_addresses(chosen: AddressSelection, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the addresses that did not get their message, and nothing else.

    `date` is needed; the reasons `mailbox_not_found`, `mailbox_full` and `recipient_rejected` also need one of
    `campaign_id`, `batch` and `statistics_id`.
    """
    request = await _resolved(call, chosen)
    return call.export(FAILED_ADDRESSES, request, raw_cells=raw_cells)


async def _resolved(call: Call, chosen: Selection) -> FindFailures:
    statistics_id = chosen.statistics_id
    if chosen.campaign_id is not None:
        statistics_id = await find_statistics_id(call.gateway, chosen.campaign_id, call.caller)
    return FindFailures(chosen.first_day, chosen.last_day, chosen.reason, chosen.batch, statistics_id)
