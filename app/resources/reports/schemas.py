"""Public models of reports."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import Example, PublicModel
from app.resources.campaigns.schemas import CAMPAIGN_EXAMPLE, Campaign
from app.resources.statistics.schemas import FailureReason
from app.resources.tracking.schemas import LINK_EXAMPLE, Rate, TrackedLink

IntervalName = Literal["hour", "day"]
PartName = Literal["campaign", "statistics", "tracking", "failures", "opens"]
SourceName = Literal["campaign", "statistics", "tracking", "failures", "opens", "links"]
Interval = TypeAliasType("Interval", Annotated[IntervalName, Field(description="How long a point lasts.")])
ReportPart = TypeAliasType("ReportPart", Annotated[PartName, Field(description="One of the reads of a report.")])
ReportSource = TypeAliasType(
    "ReportSource", Annotated[SourceName, Field(description="Where a figure comes from: a read, or the sum of links.")]
)

_POINT: Example = {"at": "2026-03-02T09:00:00+08:00", "first_opens": 118, "first_clicks": 21}
_BREAKDOWN: Example = {"top": [{"name": "Android", "recipients": 231}], "other": 12}
_DELIVERY: Example = {
    "expected": 1200,
    "sent": 1180,
    "delivered": 1139,
    "failed": 41,
    "delivery_rate": 0.9653,
    "by_reason": [{"reason": "mailbox_not_found", "count": 25}],
}
_ENGAGEMENT: Example = {
    "unique_opens": 412,
    "total_opens": 655,
    "open_rate": 0.3617,
    "open_ratio": "36.17%",
    "unique_clicks": 74,
    "total_clicks": 103,
    "click_rate": 0.065,
    "click_ratio": "6.50%",
    "click_to_open_rate": 0.1796,
}
_READ_AT: Example = dict.fromkeys(
    ("campaign", "statistics", "tracking", "failures", "opens"), "2026-03-03T10:00:00+08:00"
)
_DIFFERENCE: Example = {
    "figure": "sent",
    "values": [{"source": "statistics", "value": 1180}, {"source": "tracking", "value": 1183}],
    "difference": 3,
}


class TimelinePoint(PublicModel):
    """What began in one hour, or on one day."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POINT]})

    at: Annotated[datetime, Field(description="When it begins, in the platform's zone.")]
    first_opens: Annotated[int, Field(description="Recipients who opened for the first time.")]
    first_clicks: Annotated[int, Field(description="Recipients who clicked for the first time.")]


class Timeline(PublicModel):
    """When a campaign's messages were first opened and their links first clicked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"interval": "hour", "points": [_POINT]}]})

    interval: Annotated[Interval, Field(description="How long a point lasts.")]
    points: Annotated[list[TimelinePoint], Field(description="In order; those in which nothing began are left out.")]


class BreakdownRow(PublicModel):
    """How many recipients have one thing in common."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Android", "recipients": 231}]})

    name: Annotated[str | None, Field(description="In the platform's words; null where it does not tell.")]
    recipients: Annotated[int, Field(description="Recipients who opened.")]


class Breakdown(PublicModel):
    """How the recipients who opened divide up."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BREAKDOWN]})

    top: Annotated[list[BreakdownRow], Field(description="The ten most frequent.")]
    other: Annotated[int, Field(description="Recipients of all others.")]


class ReasonCount(PublicModel):
    """How many recipients did not get the message for one reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "mailbox_not_found", "count": 25}]})

    reason: Annotated[FailureReason, Field(description="Why.")]
    count: Annotated[int, Field(description="Recipients.")]


class OpenCounts(PublicModel):
    """The list of opens as figures."""

    unique_opens: int
    total_opens: int
    unique_clicks: int
    total_clicks: int
    devices: Breakdown
    browsers: Breakdown
    systems: Breakdown
    countries: Breakdown
    hours: list[TimelinePoint]


class FailureCounts(PublicModel):
    """The list of failures as figures."""

    total: int
    by_reason: list[ReasonCount]


class DeliveryFigures(PublicModel):
    """What became of the messages: of the statistics or, where these are missing, of the tracking."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    expected: Annotated[int | None, Field(description="All recipients, those with unusable addresses included.")]
    sent: Annotated[int | None, Field(description="Messages sent.")]
    delivered: Annotated[int | None, Field(description="Messages sent and not refused.")]
    failed: Annotated[int | None, Field(description="Messages sent and refused.")]
    delivery_rate: Annotated[Rate, Field(description="`delivered` / `sent`; null when nothing was sent.")]
    by_reason: Annotated[
        list[ReasonCount] | None,
        Field(description="Of the list of failures, addresses never tried included; null where it cannot be read."),
    ]


class EngagementFigures(PublicModel):
    """What recipients did: of the tracking or, where this is missing, of the list of opens."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENGAGEMENT]})

    unique_opens: Annotated[int | None, Field(description="Recipients who opened.")]
    total_opens: Annotated[int | None, Field(description="All opens.")]
    open_rate: Annotated[Rate, Field(description="`unique_opens` / `delivered`.")]
    open_ratio: Annotated[str | None, Field(description="The platform's own text, whose unit it does not document.")]
    unique_clicks: Annotated[int | None, Field(description="Recipients who clicked.")]
    total_clicks: Annotated[int | None, Field(description="All clicks.")]
    click_rate: Annotated[Rate, Field(description="`unique_clicks` / `delivered`.")]
    click_ratio: Annotated[str | None, Field(description="The platform's own text, whose unit it does not document.")]
    click_to_open_rate: Annotated[Rate, Field(description="`unique_clicks` / `unique_opens`.")]


class ReadTimes(PublicModel):
    """When the platform gave each part; null for a part that is not there."""

    model_config = ConfigDict(json_schema_extra={"examples": [_READ_AT]})

    campaign: Annotated[datetime | None, Field(description="The campaign.")]
    statistics: Annotated[datetime | None, Field(description="Its statistics.")]
    tracking: Annotated[datetime | None, Field(description="Its tracking.")]
    failures: Annotated[datetime | None, Field(description="The list of failures.")]
    opens: Annotated[datetime | None, Field(description="The list of opens.")]


class ReportError(PublicModel):
    """A part that could not be read; the rest of the report stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"part": "opens", "code": "upstream_timeout"}]})

    part: Annotated[ReportPart, Field(description="Which part.")]
    code: Annotated[str, Field(description="The code of the error that reading it ended in.")]


class SourceValue(PublicModel):
    """What one of the platform's sources says."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "tracking", "value": 1183}]})

    source: Annotated[ReportSource, Field(description="Which source.")]
    value: Annotated[int, Field(description="What it says.")]


class Difference(PublicModel):
    """A figure of which the platform's sources say different things."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DIFFERENCE]})

    figure: Annotated[str, Field(description="Which figure.")]
    values: Annotated[list[SourceValue], Field(description="What each source says.")]
    difference: Annotated[int, Field(description="The largest value less the smallest.")]


class CampaignReport(PublicModel):
    """All that is known of a campaign's outcome. Sources read at different times may differ while it goes out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "campaign": CAMPAIGN_EXAMPLE,
                    "delivery": _DELIVERY,
                    "engagement": _ENGAGEMENT,
                    "links": [LINK_EXAMPLE],
                    "devices": _BREAKDOWN,
                    "browsers": _BREAKDOWN,
                    "systems": _BREAKDOWN,
                    "countries": _BREAKDOWN,
                    "timeline": {"interval": "hour", "points": [_POINT]},
                    "credits": 1139.0,
                    "read_at": _READ_AT,
                    "errors": [],
                    "differences": [_DIFFERENCE],
                }
            ]
        }
    )

    campaign: Annotated[Campaign | None, Field(description="The campaign.")]
    delivery: Annotated[DeliveryFigures, Field(description="What became of its messages.")]
    engagement: Annotated[EngagementFigures, Field(description="What recipients did with them.")]
    links: Annotated[list[TrackedLink], Field(description="Its links, by the recipients who clicked.")]
    devices: Annotated[Breakdown | None, Field(description="What it was first opened on: `pc`, `mobile`.")]
    browsers: Annotated[Breakdown | None, Field(description="Which programs opened it.")]
    systems: Annotated[Breakdown | None, Field(description="On which operating systems.")]
    countries: Annotated[Breakdown | None, Field(description="Where it was first opened.")]
    timeline: Annotated[Timeline | None, Field(description="By the hour for a week, by the day for longer.")]
    credits: Annotated[float | None, Field(description="Credits charged.")]
    read_at: Annotated[ReadTimes, Field(description="When each part was read.")]
    errors: Annotated[list[ReportError], Field(description="Parts that could not be read.")]
    differences: Annotated[list[Difference], Field(description="Where the platform contradicts itself.")]
