"""Endpoints of campaigns and sends."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.api.deps import AnyScopeCall, Call, ReadCall, SendCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.pagination import PageRequestDep
from app.api.responses import answer, created, no_content, read_back
from app.api.types import DIGITS, Batch, Flag, Id, IsoDate
from app.errors import FieldError, NotFound, ValidationFailed
from app.gateway.pages import Collection, Page
from app.resources.campaigns import operations
from app.resources.campaigns.attempts import SendAttempt, send_attempt
from app.resources.campaigns.creation import CampaignCreator
from app.resources.campaigns.editing import complete
from app.resources.campaigns.forms import CreateCampaign
from app.resources.campaigns.releasing import carry_out, known_end
from app.resources.campaigns.requests import CampaignChanges, NewCampaign
from app.resources.campaigns.schemas import Campaign, Send, Status
from app.resources.campaigns.timing import plan

router = resource_router("/v1", "Campaigns")

IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
StatusCode = Annotated[int, Field(ge=-5, le=4), DIGITS]

_EDIT_WAIT = 30.0
"""Seconds to wait for another edit of the same campaign."""

CampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500001])]


@router.get("/campaigns", **documents(operations.FIND, summary="List campaigns", response_model=Page[Campaign]))
async def list_campaigns(
    pages: PageRequestDep,
    call: ReadCall,
    status: Annotated[Status | None, Query(description="Only campaigns in this state.")] = None,
    date: Annotated[
        IsoDate | None, Query(description="Only campaigns sent on this day of the platform's zone.")
    ] = None,
) -> Response:
    """Return one page of the campaigns. The platform does not tell how many there are."""
    return await call.page(operations.FIND, operations.FindCampaigns(pages, status, date))


@router.get("/campaigns/{campaign_id}", **documents(operations.GET, summary="Get a campaign", response_model=Campaign))
async def get_campaign(campaign_id: CampaignId, call: ReadCall) -> Response:
    """Return one campaign."""
    return await call.read(operations.GET, campaign_id)


@router.post(
    "/campaigns",
    **documents(operations.CREATE, summary="Create a campaign", response_model=Campaign, status_code=201),
)
async def create_campaign(
    body: NewCampaign,
    call: SendCall,
    allow_duplicate: Annotated[
        Flag, Query(description="Create it even if an equal one was created a few minutes ago.")
    ] = False,
) -> Response:
    """Create a campaign and send it now, at a time, or not before it is released.

    It is sent to the platform once. If the answer is lost, the gateway looks for the campaign; where it cannot be
    found for certain, the answer is 504 `outcome_unknown`. A campaign with the same templates, list and range as one
    of the last minutes is taken for a mistake (409) unless `allow_duplicate` says otherwise. The platform takes at
    most 100 new campaigns an hour.
    """
    request = CreateCampaign(body, plan(body.schedule, call.services.platform_clock))
    campaign = await _creator(call).create(request, call.caller, allow_duplicate=allow_duplicate)
    return created(campaign, f"/v1/campaigns/{campaign.id}")


@router.get(
    "/campaigns/attempts/{idempotency_key}",
    **documents(
        operations.FIND, kept=False, summary="Find out whether a campaign was sent", response_model=SendAttempt
    ),
)
async def get_send_attempt(
    idempotency_key: Annotated[
        IdempotencyKey, Path(description="The key of the request that sent it.", examples=["first-campaign"])
    ],
    call: ReadCall,
) -> Response:
    """Return what is known of the latest send under an idempotency key: a campaign created or released, or a message.

    Where the fate of a new campaign is open, the platform is asked again, and the answer remembered.
    """
    attempt = await call.services.sends.find(call.caller.tenant.id, idempotency_key)
    if attempt is None:
        raise NotFound("Nothing has been sent under this idempotency key.")
    return answer(send_attempt(attempt, await _creator(call).settled_if_possible(attempt, call.caller)))


def _creator(call: Call) -> CampaignCreator:
    services = call.services
    limits = services.send_limits
    return CampaignCreator(
        services.gateway,
        services.sends,
        services.platform_clock,
        duplicate_window=limits.duplicate_window,
        lookup_seconds=limits.lookup_seconds,
    )


@router.patch(
    "/campaigns/{campaign_id}",
    **documents(
        operations.EDIT_QUEUED,
        summary="Change, hold or release a campaign",
        response_model=Campaign,
        any_scope=("write", "send"),
        read_back=True,
    ),
)
async def edit_campaign(
    campaign_id: CampaignId,
    body: CampaignChanges,
    call: AnyScopeCall,
) -> Response:
    """Change the fields given and return the campaign as it now is.

    Only a waiting, held or paused campaign can be changed; a paused one is held afterwards unless `schedule` releases
    it. `schedule` holds it (`hold`) or releases it (`now`, `at`);
    releasing needs the scope `send`, any other change the scope `write`. What is not given stays as it is: the
    campaign is read first, and what the platform would reset is sent to it again.
    """
    _check_scopes(body, call)
    services, clock = call.services, call.services.platform_clock
    timing = plan(body.schedule, clock) if "schedule" in body.model_fields_set else None
    # An edit repeats the status it has read: were another one to hold the campaign in between, it would release it.
    async with services.writes.holding("campaign", call.caller.tenant.id, campaign_id, wait=_EDIT_WAIT) as held:
        present = await call.run(operations.GET, campaign_id)
        keeps_range = "recipients" not in body.model_fields_set
        end = await known_end(campaign_id, services.sends, call.caller) if keeps_range else None
        now = clock.present(call.caller.tenant.upstream.base_url)
        edit = complete(body, timing, present, now, known_end=end)
        held.ensure()
        await carry_out(edit, present, services.gateway, services.sends, call.caller)
    return await read_back(call.run(operations.GET, campaign_id))


def _check_scopes(changes: CampaignChanges, call: Call) -> None:
    releases = "schedule" in changes.model_fields_set and changes.schedule.mode != "hold"
    if releases:
        call.require("send")
    if not releases or changes.model_fields_set > {"schedule"}:
        call.require("write")


@router.delete("/campaigns/{campaign_id}", **documents(operations.DELETE, summary="Delete a campaign", status_code=204))
async def delete_campaign(campaign_id: CampaignId, call: WriteCall) -> Response:
    """Delete one campaign."""
    await call.run(operations.DELETE, campaign_id)
    return no_content()


@router.get(
    "/sends",
    **documents(operations.LIST_SENDS, summary="List sends", response_model=Collection[Send]),
)
async def list_sends(
    call: ReadCall,
    date: Annotated[IsoDate | None, Query(description="The day of sending, in the platform's zone.")] = None,
    batch: Annotated[
        Batch | None, Query(description="The campaign's batch number.", examples=["20260302093000-2369-1"])
    ] = None,
    campaign_id: Annotated[Id | None, Query(description="The campaign's id.", examples=[5500001])] = None,
    status: Annotated[StatusCode | None, Query(description="Only those with this status code.")] = None,
) -> Response:
    """Return the campaigns sent on a day, or one campaign by its batch number or its id.

    Exactly one of `date`, `batch` and `campaign_id` is needed.
    """
    _check_one_criterion(date=date, batch=batch, campaign_id=campaign_id)
    query = operations.FindSends(date, batch, campaign_id, status)
    return await call.read(operations.LIST_SENDS, query)


def _check_one_criterion(**criteria: object) -> None:
    given = [name for name, value in criteria.items() if value is not None]
    if len(given) == 1:
        return
    code, message = ("conflicting", "excludes the others") if given else ("missing", "or one of the others is needed")
    errors = [FieldError("parameter", name, code, message) for name in given or criteria]
    raise ValidationFailed("Exactly one of `date`, `batch` and `campaign_id` is needed.", errors)
