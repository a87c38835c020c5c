"""Endpoints of campaigns and sends."""

from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.api.deps import AnyScopeCall, Call, ReadCall, SendCall, resource_router
from app.api.documentation import documents
from app.api.responses import answer, created, no_content, read_back
from app.api.types import DIGITS, Batch, Flag, Id, IsoDate
from app.errors import (
    FieldError,
    NotFound,
    PreflightRequired,
    SecondPersonRequired,
    TicketInvalid,
    ValidationFailed,
)
from app.gateway.pages import Collection
from app.resources.campaigns import operations
from app.resources.campaigns.attempts import SendAttempt, send_attempt
from app.resources.campaigns.creation import CampaignCreator
from app.resources.campaigns.editing import plan
from app.resources.campaigns.expansion import Expand, check_page_size, expanded_campaign, expanded_page, parts_of
from app.resources.campaigns.forms import CreateCampaign
from app.resources.campaigns.releasing import CampaignEditor
from app.resources.campaigns.requests import CampaignChanges, CampaignRelease, NewCampaign
from app.resources.campaigns.schemas import Campaign, CampaignDetails, CampaignPage, Send
from app.resources.campaigns.searching import CampaignSearchDep

router = resource_router("/v1", "Campaigns")

IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
StatusCode = Annotated[int, Field(ge=-5, le=4), DIGITS]

CampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500001])]
HeldCampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500005])]
Ticket = Annotated[
    str | None,
    Header(
        alias="Preflight-Ticket",
        min_length=1,
        max_length=100,
        description="The ticket of a preflight of just this; it is good once, for 15 minutes. Needed where the tenant"
        " demands preflights.",
    ),
]
_RULES = (SecondPersonRequired, PreflightRequired, TicketInvalid)
"""What a tenant's rules of sending answer."""


@router.get("/campaigns", **documents(operations.FIND, summary="List campaigns", response_model=CampaignPage))
async def list_campaigns(search: CampaignSearchDep, call: ReadCall, expand: Expand = None) -> Response:
    """Return one page of the campaigns, with `expand` at most 50.

    The platform does not tell how many there are: `total` is null before the last page. With `statuses`,
    `date_end` or `sort`, the gateway reads all campaigns that match, at most 5,000, and `total` is known.

    Parts that `expand` names are as their own resources give them. One that could not be read is null and stands in
    `expansion_errors`.
    """
    if expand is None and search.query is not None:
        return await call.page(operations.FIND, search.query)
    if expand is not None:
        check_page_size(search.pages.page_size)
    return await expanded_page(call, search, parts_of(expand or ""))


@router.get(
    "/campaigns/{campaign_id}",
    **documents(operations.GET, summary="Get a campaign", response_model=CampaignDetails),
)
async def get_campaign(campaign_id: CampaignId, call: ReadCall, expand: Expand = None) -> Response:
    """Return one campaign, with the parts that `expand` names."""
    if expand is None:
        return await call.read(operations.GET, campaign_id)
    return await expanded_campaign(call, campaign_id, parts_of(expand))


@router.post(
    "/campaigns",
    **documents(
        operations.CREATE,
        summary="Create a campaign",
        response_model=Campaign,
        status_code=201,
        any_scope=("send", "draft"),
        errors=_RULES,
    ),
)
async def create_campaign(
    body: NewCampaign,
    call: AnyScopeCall,
    allow_duplicate: Annotated[
        Flag, Query(description="Create it even if an equal one was created a few minutes ago.")
    ] = False,
    preflight_ticket: Ticket = None,
) -> Response:
    """Create a campaign and send it now, at a time, or not before it is released.

    A held campaign needs the scope `draft`, any other one `send`. Where the tenant demands two persons only held ones
    can be created, and another person releases them.

    It is sent to the platform once. If the answer is lost, the gateway looks for the campaign; where it cannot be
    found for certain, the answer is 504 `outcome_unknown`. A campaign with the same templates, list and range as one
    of the last minutes is taken for a mistake (409) unless `allow_duplicate` says otherwise. The platform takes at
    most 100 new campaigns an hour.
    """
    call.require("draft" if body.schedule.mode == "hold" else "send")
    request = CreateCampaign(body, plan(body.schedule, call.services.platform_clock))
    campaign = await _creator(call).create(
        request, call.caller, allow_duplicate=allow_duplicate, ticket=preflight_ticket
    )
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
        any_scope=("write", "draft", "send"),
        read_back=True,
        errors=_RULES,
    ),
)
async def edit_campaign(
    campaign_id: CampaignId,
    body: CampaignChanges,
    call: AnyScopeCall,
    preflight_ticket: Ticket = None,
) -> Response:
    """Change the fields given and return the campaign as it now is.

    Only a waiting, held or paused campaign can be changed; a paused one is held afterwards unless `schedule` releases
    it. `schedule` holds it (`hold`) or releases it (`now`, `at`);
    releasing needs the scope `send`, changing a held campaign `draft` or `write`, a waiting one `write`. What is not
    given stays as it is: the campaign is read first, and what the platform would reset is sent to it again.
    """
    _check_scopes(body, call)
    await _editor(call).edit(campaign_id, body, call.caller, ticket=preflight_ticket)
    return await read_back(call.run(operations.GET, campaign_id))


def _check_scopes(changes: CampaignChanges, call: Call) -> None:
    releases = "schedule" in changes.model_fields_set and changes.schedule.mode != "hold"
    if releases:
        call.require("send")
    if not releases or changes.model_fields_set > {"schedule"}:
        call.require("write" if "write" in call.caller.scopes else "draft")


def _editor(call: Call) -> CampaignEditor:
    services = call.services
    return CampaignEditor(services.gateway, services.sends, services.writes, services.platform_clock)


@router.post(
    "/campaigns/{campaign_id}/release",
    **documents(
        operations.EDIT_QUEUED,
        summary="Release a held campaign",
        response_model=Campaign,
        read_back=True,
        errors=_RULES,
    ),
)
async def release_campaign(
    campaign_id: HeldCampaignId,
    body: CampaignRelease,
    call: SendCall,
    preflight_ticket: Ticket = None,
) -> Response:
    """Let a held campaign go out, at once or at a time, and return it as it now is.

    Where the tenant demands two persons, the key must be another person's than those that made and last changed it.
    Of a release and a change at the same time one loses, with 409.
    """
    changes = CampaignChanges(schedule=body.schedule)
    if body.recipients is not None:
        changes = CampaignChanges(schedule=body.schedule, recipients=body.recipients)
    await _editor(call).edit(campaign_id, changes, call.caller, ticket=preflight_ticket, only_held=True)
    return await read_back(call.run(operations.GET, campaign_id))


@router.delete(
    "/campaigns/{campaign_id}",
    **documents(
        operations.DELETE,
        summary="Delete a campaign",
        status_code=204,
        any_scope=("write", "draft"),
    ),
)
async def delete_campaign(campaign_id: CampaignId, call: AnyScopeCall) -> Response:
    """Delete one campaign; a held one needs the scope `draft` or `write`, any other one `write`."""
    await _editor(call).delete(campaign_id, call.caller)
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
