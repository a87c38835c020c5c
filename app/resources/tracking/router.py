"""Endpoints of tracking: each by the campaign's id and by its batch number."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from app.api.deps import ReadCall, resource_router
from app.api.documentation import documents, export_documents
from app.api.exports import RawCells
from app.api.types import Batch, Flag, Id
from app.gateway.identifiers import find_track_id
from app.gateway.pages import Collection
from app.resources.tracking import operations
from app.resources.tracking.schemas import TrackedLink, Tracking

router = resource_router("/v1", "Tracking")

CampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500001])]
BatchOfPath = Annotated[Batch, Path(description="The campaign's batch number.", examples=["20260302093000-2369-1"])]
TrackId = Annotated[Id, Path(description="The tracking id, as the tracking shows it.", examples=[880001])]
LinkId = Annotated[Id | None, Query(description="Only this link of the messages.", examples=[2400001])]


@dataclass(frozen=True, slots=True)
class RecipientFilter:
    """Which recipients of a tracking are asked for."""

    clicked: Annotated[Flag | None, Query(description="Only those who clicked.")] = None
    link_id: Annotated[Id | None, Query(description="Only those who clicked this link.", examples=[2400001])] = None
    email_id: Annotated[Id | None, Query(description="Only the one with this id, as opens show it.")] = None

    def of(self, track_id: int) -> operations.FindRecipients:
        """Return the request for one tracking."""
        return operations.FindRecipients(track_id, self.clicked, self.link_id, self.email_id)


RecipientFilterDep = Annotated[RecipientFilter, Depends()]


@router.get(
    "/campaigns/{campaign_id}/tracking",
    **documents(operations.OVERVIEW, summary="Get a campaign's tracking", response_model=Tracking),
)
async def get_campaign_tracking(campaign_id: CampaignId, call: ReadCall) -> Response:
    """Return how often the messages were opened and clicked, and the campaign's other ids.

    As with its statistics, the answer is 404 before anything has been sent.
    """
    return await call.read(operations.OVERVIEW, campaign_id)


@router.get(
    "/campaigns/{campaign_id}/tracking/opens",
    **export_documents(operations.OPENS, summary="List who opened a campaign's messages"),
)
async def list_campaign_opens(campaign_id: CampaignId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the recipients who opened the message, with what they read it and where they were."""
    return call.export(operations.OPENS, campaign_id, raw_cells=raw_cells)


@router.get(
    "/campaigns/{campaign_id}/tracking/clicks",
    **export_documents(operations.CLICKS, summary="List the clicks on a campaign's links"),
)
async def list_campaign_clicks(
    campaign_id: CampaignId, call: ReadCall, raw_cells: RawCells = False, link_id: LinkId = None
) -> Response:
    """Return each recipient's clicks on each link, or on one."""
    return call.export(operations.CLICKS, operations.FindClicks(campaign_id, link_id), raw_cells=raw_cells)


@router.get(
    "/campaigns/{campaign_id}/tracking/links",
    **documents(operations.LINKS, summary="List a campaign's links", response_model=Collection[TrackedLink]),
)
async def list_campaign_links(campaign_id: CampaignId, call: ReadCall, link_id: LinkId = None) -> Response:
    """Return the links in the messages and how often each was clicked, or one of them."""
    return await call.read(operations.LINKS, operations.FindClicks(campaign_id, link_id))


@router.get(
    "/campaigns/{campaign_id}/tracking/recipients",
    **export_documents(operations.RECIPIENTS, summary="List a campaign's tracked recipients"),
)
async def list_campaign_recipients(
    campaign_id: CampaignId, chosen: RecipientFilterDep, call: ReadCall, raw_cells: RawCells = False
) -> Response:
    """Return the addresses of the recipients whom the tracking knows."""
    track_id = await find_track_id(call.gateway, campaign_id, call.caller)
    return call.export(operations.RECIPIENTS, chosen.of(track_id), raw_cells=raw_cells)


@router.get(
    "/batches/{batch}/tracking",
    **documents(operations.OVERVIEW, summary="Get a batch's tracking", response_model=Tracking),
)
async def get_batch_tracking(batch: BatchOfPath, call: ReadCall) -> Response:
    """Return how often the messages were opened and clicked, and the campaign's other ids.

    As with its statistics, the answer is 404 before anything has been sent.
    """
    return await call.read(operations.OVERVIEW, batch)


@router.get(
    "/batches/{batch}/tracking/opens",
    **export_documents(operations.OPENS, summary="List who opened a batch's messages"),
)
async def list_batch_opens(batch: BatchOfPath, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the recipients who opened the message, with what they read it and where they were."""
    return call.export(operations.OPENS, batch, raw_cells=raw_cells)


@router.get(
    "/batches/{batch}/tracking/clicks",
    **export_documents(operations.CLICKS, summary="List the clicks on a batch's links"),
)
async def list_batch_clicks(
    batch: BatchOfPath, call: ReadCall, raw_cells: RawCells = False, link_id: LinkId = None
) -> Response:
    """Return each recipient's clicks on each link, or on one."""
    return call.export(operations.CLICKS, operations.FindClicks(batch, link_id), raw_cells=raw_cells)


@router.get(
    "/batches/{batch}/tracking/links",
    **documents(operations.LINKS, summary="List a batch's links", response_model=Collection[TrackedLink]),
)
async def list_batch_links(batch: BatchOfPath, call: ReadCall, link_id: LinkId = None) -> Response:
    """Return the links in the messages and how often each was clicked, or one of them."""
    return await call.read(operations.LINKS, operations.FindClicks(batch, link_id))


@router.get(
    "/batches/{batch}/tracking/recipients",
    **export_documents(operations.RECIPIENTS, summary="List a batch's tracked recipients"),
)
async def list_batch_recipients(
    batch: BatchOfPath, chosen: RecipientFilterDep, call: ReadCall, raw_cells: RawCells = False
) -> Response:
    """Return the addresses of the recipients whom the tracking knows."""
    track_id = await find_track_id(call.gateway, batch, call.caller)
    return call.export(operations.RECIPIENTS, chosen.of(track_id), raw_cells=raw_cells)


@router.get(
    "/tracking/{track_id}/recipients",
    **export_documents(operations.RECIPIENTS, summary="List the recipients of a tracking"),
)
async def list_tracking_recipients(
    track_id: TrackId, chosen: RecipientFilterDep, call: ReadCall, raw_cells: RawCells = False
) -> Response:
    """Return the addresses of the recipients whom this tracking knows."""
    return call.export(operations.RECIPIENTS, chosen.of(track_id), raw_cells=raw_cells)
