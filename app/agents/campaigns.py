"""Tools for campaigns: what there is, preparing one that is held, and sending what was prepared."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.agents.api import Refused, ToolApi
from app.agents.lookups import PageNumber, PageSize
from app.agents.tool import Tool
from app.api.types import Flag, Id, IsoDate, Moment, PublicModel, RequestModel
from app.gateway.pages import Page
from app.preflight.schemas import Preflight
from app.resources.campaigns.requests import CampaignContent
from app.resources.campaigns.schemas import Campaign, CampaignStatus, Status

_NOT_OF_THE_CAMPAIGN = {"send_at", "campaign_id", "allow_duplicate"}
_TICKET = re.compile(r"([0-9]{1,16})\.(?:([0-9]{1,11})\.)?([A-Za-z0-9_-]{1,100})")
"""Campaign, seconds since 1970, which eleven digits keep within what a date can be, and the preflight's ticket."""


class ListCampaigns(RequestModel):
    """Which campaigns."""

    status: Annotated[Status | None, Field(description="Only campaigns in this state.")] = None
    date: Annotated[IsoDate | None, Field(description="Only those sent on this day of the platform's zone.")] = None
    page: PageNumber = 1
    page_size: PageSize = 10


async def _list_campaigns(api: ToolApi, arguments: ListCampaigns) -> Page[Campaign]:
    return await api.read(
        Page[Campaign],
        "/v1/campaigns",
        status=arguments.status,
        date=arguments.date,
        page=arguments.page,
        page_size=arguments.page_size,
    )


class PrepareCampaign(CampaignContent):
    """A campaign to prepare."""

    send_at: Annotated[
        Moment | None, Field(description="When it is to be sent once it is released; null for at once.")
    ] = None
    campaign_id: Annotated[
        Id | None,
        Field(
            description="A held campaign that is what the other fields describe: none is created, and it gets a fresh"
            " preflight and ticket. For a ticket that has expired."
        ),
    ] = None
    allow_duplicate: Annotated[
        Flag, Field(description="Prepare it even if an equal one was made a few minutes ago.")
    ] = False


class ToolError(PublicModel):
    """An error in the midst of a task."""

    code: Annotated[str, Field(description="The stable word to decide by.")]
    detail: Annotated[str, Field(description="What happened, and what can be done about it.")]


class PreparedCampaign(PublicModel):
    """A held campaign, what speaks against sending it, and the ticket that sends it."""

    campaign: Annotated[
        Campaign | None, Field(description="Held, so nothing has been sent. Null where a check fails: none was made.")
    ]
    preflight: Annotated[
        Preflight | None, Field(description="Every check; its own ticket is left out. Null if it could not be made.")
    ]
    ticket: Annotated[
        str | None,
        Field(
            description="For `send_campaign`, once, for some minutes. Null where a check fails: mend it and prepare"
            " again. Null where `error` says that the preflight failed: prepare again with this `campaign_id`."
        ),
    ]
    expires_at: Annotated[datetime | None, Field(description="Until when the ticket is good.")]
    error: Annotated[ToolError | None, Field(description="Why the preflight could not be made.")]


async def _prepare_campaign(api: ToolApi, arguments: PrepareCampaign) -> PreparedCampaign:
    body = arguments.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=_NOT_OF_THE_CAMPAIGN)
    planned = {} if arguments.send_at is None else {"at": arguments.send_at.isoformat()}
    held = {**body, "schedule": {"mode": "hold", **planned}}
    if arguments.campaign_id is not None:
        campaign = await api.read(Campaign, f"/v1/campaigns/{arguments.campaign_id}")
    else:
        repeats = arguments.allow_duplicate
        before = await api.post(Preflight, "/v1/campaigns/preflight", held, allow_duplicate=repeats)
        if before.ticket is None:
            return PreparedCampaign(campaign=None, preflight=_told(before), ticket=None, expires_at=None, error=None)
        headers = {"Preflight-Ticket": before.ticket}
        created = await api.post(Campaign, "/v1/campaigns", held, headers=headers, allow_duplicate=repeats)
        campaign = await _in_full(api, created)
    released = {**body, "schedule": {"mode": "at", **planned} if planned else {"mode": "now"}}
    try:
        preflight = await api.post(Preflight, "/v1/campaigns/preflight", released, campaign_id=campaign.id)
    except Refused as refused:
        # It has been made; whoever asks again names it.
        error = ToolError(code=refused.problem.code, detail=refused.problem.detail)
        return PreparedCampaign(campaign=campaign, preflight=None, ticket=None, expires_at=None, error=error)
    return PreparedCampaign(
        campaign=campaign,
        preflight=_told(preflight),
        ticket=_ticket(campaign.id, arguments.send_at, preflight.ticket) if preflight.ticket else None,
        expires_at=preflight.expires_at,
        error=None,
    )


async def _in_full(api: ToolApi, created: Campaign) -> Campaign:
    """Return a new campaign with the names that creating it does not tell, if the key may read."""
    try:
        return await api.read(Campaign, f"/v1/campaigns/{created.id}")
    except Refused:
        return created


def _told(preflight: Preflight) -> Preflight:
    return preflight.model_copy(update={"ticket": None, "expires_at": None})


def _ticket(campaign_id: int, send_at: datetime | None, ticket: str) -> str:
    when = "" if send_at is None else f"{int(send_at.timestamp())}."
    return f"{campaign_id}.{when}{ticket}"


class SendCampaign(RequestModel):
    """What is to be sent."""

    ticket: Annotated[
        str,
        StringConstraints(pattern=f"^{_TICKET.pattern}$"),
        Field(description="The ticket that `prepare_campaign` gave, as it stands."),
    ]


class SentCampaign(PublicModel):
    """A campaign that was released."""

    campaign_id: Annotated[int, Field(description="The campaign's id.")]
    read_back: Annotated[bool, Field(description="False if it was released, but what it is now could not be read.")]
    status: Annotated[CampaignStatus | None, Field(description="How far it has got.")]
    scheduled_at: Annotated[datetime | None, Field(description="When it goes out.")]
    recipient_count: Annotated[int | None, Field(description="How many recipients the platform counted.")]


async def _send_campaign(api: ToolApi, arguments: SendCampaign) -> SentCampaign:
    campaign_id, when, ticket = _TICKET.fullmatch(arguments.ticket).groups()  # type: ignore[union-attr]
    at = {"mode": "at", "at": datetime.fromtimestamp(int(when), UTC).isoformat()} if when else {"mode": "now"}
    # Asked again with the same ticket it tells the same, and nothing is sent twice.
    key = f"mcp-{hashlib.sha256(arguments.ticket.encode()).hexdigest()}"
    headers = {"Preflight-Ticket": ticket, "Idempotency-Key": key}
    path = f"/v1/campaigns/{campaign_id}/release"
    campaign = (await api.change(Campaign, "POST", path, {"schedule": at}, headers)).now
    return SentCampaign(
        campaign_id=int(campaign_id),
        read_back=campaign is not None,
        status=campaign.status if campaign else None,
        scheduled_at=campaign.scheduled_at if campaign else None,
        recipient_count=campaign.recipient_count if campaign else None,
    )


CAMPAIGNS = (
    Tool(
        name="list_campaigns",
        title="List campaigns",
        description="Campaigns with their state, the newest pages first as the platform has them. A campaign that is"
        " `held` has not been sent and goes out only when it is released.",
        arguments=ListCampaigns,
        result=Page[Campaign],
        routes=("list_campaigns",),
        run=_list_campaigns,
    ),
    Tool(
        name="prepare_campaign",
        title="Prepare a campaign",
        description="Makes a held campaign and checks everything that could keep it from being sent well. Nothing goes"
        " out. Show the result to the person you work for: sender, subject, list, number of recipients, time, and every"
        " check that is not `pass`. Only when that person agrees, give the ticket to `send_campaign`. Each call makes"
        " another campaign unless `campaign_id` names one that was prepared.",
        arguments=PrepareCampaign,
        result=PreparedCampaign,
        routes=("create_campaign", "preflight_campaign"),
        run=_prepare_campaign,
        holds_back=True,
    ),
    Tool(
        name="send_campaign",
        title="Send a prepared campaign",
        description="Sends a prepared campaign to all of its recipients, at once or at the time it was prepared for."
        " This cannot be taken back. Call it only when a person has agreed to just this campaign after"
        " `prepare_campaign`. Calling it again with the same ticket sends nothing again and gives the same answer. In a"
        " tenant that demands two persons it is refused for whoever prepared the campaign.",
        arguments=SendCampaign,
        result=SentCampaign,
        routes=("release_campaign",),
        run=_send_campaign,
    ),
)
