"""Tools that tell what became of campaigns, and what has happened."""

import time
from typing import Annotated

from pydantic import Field, StringConstraints

from app.agents.api import ToolApi
from app.agents.tool import Tool
from app.api.types import Id, PublicModel, RequestModel
from app.resources.campaigns.schemas import CampaignStatus
from app.resources.events.schemas import Events, EventType
from app.resources.reports.schemas import (
    Breakdown,
    CampaignReport,
    DeliveryFigures,
    Difference,
    EngagementFigures,
    ReportError,
    Timeline,
)
from app.resources.tracking.schemas import TrackedLink
from app.storage.events.log import event_id

_MOST_LINKS = 10


class ReportOnCampaign(RequestModel):
    """Which campaign."""

    campaign_id: Annotated[Id, Field(description="The campaign's id.")]
    details: Annotated[
        bool, Field(description="Also devices, browsers, systems, countries, the timeline, and every link.")
    ] = False


class CampaignOutcome(PublicModel):
    """What became of a campaign."""

    campaign_id: Annotated[int, Field(description="The campaign's id.")]
    status: Annotated[CampaignStatus | None, Field(description="How far it has got.")]
    delivery: Annotated[DeliveryFigures, Field(description="What became of its messages.")]
    engagement: Annotated[EngagementFigures, Field(description="What recipients did with them.")]
    links: Annotated[list[TrackedLink], Field(description="By the recipients who clicked.")]
    link_count: Annotated[int, Field(description="How many links there are; without `details` ten are shown.")]
    credits: Annotated[float | None, Field(description="Credits charged.")]
    errors: Annotated[list[ReportError], Field(description="Parts that could not be read; their figures are null.")]
    differences: Annotated[list[Difference], Field(description="Where the platform contradicts itself.")]
    devices: Annotated[Breakdown | None, Field(description="What it was first opened on.")]
    browsers: Annotated[Breakdown | None, Field(description="Which programs opened it.")]
    systems: Annotated[Breakdown | None, Field(description="On which operating systems.")]
    countries: Annotated[Breakdown | None, Field(description="Where it was first opened.")]
    timeline: Annotated[Timeline | None, Field(description="When it was first opened and clicked.")]


async def _report(api: ToolApi, arguments: ReportOnCampaign) -> CampaignOutcome:
    report = await api.read(CampaignReport, f"/v1/campaigns/{arguments.campaign_id}/report")
    details = arguments.details
    return CampaignOutcome(
        campaign_id=arguments.campaign_id,
        status=report.campaign.status if report.campaign else None,
        delivery=report.delivery,
        engagement=report.engagement,
        links=report.links if details else report.links[:_MOST_LINKS],
        link_count=len(report.links),
        credits=report.credits,
        errors=report.errors,
        differences=report.differences,
        devices=report.devices if details else None,
        browsers=report.browsers if details else None,
        systems=report.systems if details else None,
        countries=report.countries if details else None,
        timeline=report.timeline if details else None,
    )


class RecentEvents(RequestModel):
    """Which events."""

    hours: Annotated[
        int, Field(ge=1, le=720, description="Of the last so many hours; not looked at where `after` is given.")
    ] = 24
    after: Annotated[
        str | None,
        StringConstraints(pattern=r"^[!-~]{1,64}$"),
        Field(description="The `next` of an earlier answer: only what has happened since then."),
    ] = None
    types: Annotated[list[EventType], Field(max_length=20, description="Only these; empty for all.")] = Field(
        default_factory=list
    )
    limit: Annotated[int, Field(ge=1, le=100, description="The most events.")] = 20


async def _recent_events(api: ToolApi, arguments: RecentEvents) -> Events:
    # Events are numbered by the clock, in microseconds.
    since = int((time.time() - arguments.hours * 3600) * 1_000_000)
    after = arguments.after or event_id(api.caller.tenant.id, since)
    types = ",".join(arguments.types) or None
    return await api.read(Events, "/v1/events", after=after, type=types, limit=arguments.limit)


OUTCOMES = (
    Tool(
        name="campaign_report",
        title="Report on a campaign",
        description="What became of one campaign: delivered, failed and why, opened, clicked, the ten links clicked"
        " most, credits, and where the platform's own figures disagree. With `details` also devices, countries and the"
        " timeline. Gives figures, no addresses.",
        arguments=ReportOnCampaign,
        result=CampaignOutcome,
        routes=("get_campaign_report",),
        run=_report,
    ),
    Tool(
        name="recent_events",
        title="What has happened",
        description="What has happened in the account lately, oldest first: campaigns that started or finished,"
        " templates that were reviewed, imports, domains, messages. Ask again with `next` as `after` for what comes"
        " later. The account is watched for a day from each time this is asked; what was before that is not known.",
        arguments=RecentEvents,
        result=Events,
        routes=("list_events",),
        run=_recent_events,
    ),
)
