"""Public models of campaigns and sends, as they are answered; `requests` has what callers send."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import Example, PublicModel
from app.gateway.pages import Page
from app.resources.statistics.schemas import STATISTICS_EXAMPLE, CampaignStatistics
from app.resources.tracking.schemas import Tracking

Status = Literal["waiting", "sending", "sent", "held", "paused", "cancelled"]
CampaignStatus = TypeAliasType(
    "CampaignStatus",
    Annotated[
        Status | Literal["unknown"],
        Field(description="How far a campaign has got; `unknown` for a code nobody documented."),
    ],
)
CampaignTracking = TypeAliasType(
    "CampaignTracking", Annotated[Literal["off", "opens", "opens_and_clicks"], Field(description="What is tracked.")]
)
AnyCampaignTracking = TypeAliasType(
    "AnyCampaignTracking",
    Annotated[
        Literal["off", "opens", "opens_and_clicks", "unknown"],
        Field(description="What is tracked; `unknown` for a code nobody documented."),
    ],
)
AddressSource = TypeAliasType(
    "AddressSource",
    Annotated[Literal["list", "subscription", "unknown"], Field(description="Contact lists or the subscription list.")],
)
AnySenderType = TypeAliasType(
    "AnySenderType",
    Annotated[
        Literal["any", "domain", "address", "unknown"],
        Field(description="Any address of the account, of one domain, or one alone; `unknown` for others."),
    ],
)


BatchNumber = Annotated[str | None, Field(description="What statistics and tracking also go by.")]
FromAddress = Annotated[str | None, Field(description="The sender in the platform's words: not always an address.")]
FirstId = Annotated[int | None, Field(description="Of several, the first.")]
Source = Annotated[AddressSource | None, Field(description="Contact lists or the subscription list.")]
SendLimit = Annotated[
    int | None, Field(description="The last recipient of the chosen range; 0 goes to the end of the list.")
]
RecipientCount = Annotated[int | None, Field(description="How many recipients the platform counted.")]
ErrorCount = Annotated[int | None, Field(description="Messages that failed, as the platform counts them.")]
NotTriedCount = Annotated[
    int | None, Field(description="Failures without an attempt to send; not the number of failed messages.")
]

_FACTS: Example = {
    "address_source": "list",
    "address_source_code": 0,
    "send_limit": 0,
    "recipient_count": 1200,
    "scheduled_at": "2026-03-02T09:30:00+08:00",
    "started_at": "2026-03-02T09:30:04+08:00",
    "finished_at": "2026-03-02T09:41:52+08:00",
    "sent_count": 1187,
    "error_count": 13,
    "status": "sent",
    "status_code": 3,
    "tracking": "opens_and_clicks",
    "tracking_code": 2,
}
_HEAD: Example = {
    "id": 5500001,
    "batch": "20260302093000-2369-1",
    "from_address": "news@demo.example",
    "from_name": "Example 新闻",
    "reply_to": "service@example.com",
}
_SENDER: Example = {"type": "address", "address": "news@demo.example"}


CAMPAIGN_EXAMPLE: Example = {
    **_HEAD,
    "sender": {**_SENDER, "domain": None},
    "templates": [{"id": 255201, "name": "春季促销"}],
    "lists": [{"id": 418801, "name": "Newsletter 北京"}],
    **_FACTS,
}
_PARTS: Example = {"statistics": STATISTICS_EXAMPLE}
_ERROR: Example = {"campaign_id": 5500001, "part": "tracking", "code": "upstream_timeout"}
_DETAILS: Example = {**CAMPAIGN_EXAMPLE, "expanded": {**_PARTS, "tracking": None}, "expansion_errors": [_ERROR]}

Part = Literal["statistics", "tracking"]
CampaignPart = TypeAliasType("CampaignPart", Annotated[Part, Field(description="What `expand` may name.")])


class CampaignSender(PublicModel):
    """Whom a campaign comes from."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SENDER, "domain": None}]})

    type: Annotated[
        AnySenderType | None,
        Field(description="Any of the account's addresses, any address of one domain, or one address."),
    ]
    domain: Annotated[str | None, Field(description="Where the type is `domain`.")]
    address: Annotated[str | None, Field(description="Where the type is `address`.")]


class CampaignTemplate(PublicModel):
    """A template that a campaign uses."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 255201, "name": "春季促销"}]})

    id: Annotated[int | None, Field(description="The template's id.")]
    name: Annotated[str | None, Field(description="The template's name.")]


class CampaignList(PublicModel):
    """A contact list that a campaign is sent to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 418801, "name": "Newsletter 北京"}]})

    id: Annotated[int | None, Field(description="The contact list's id.")]
    name: Annotated[str | None, Field(description="The contact list's name.")]


class Campaign(PublicModel):
    """A mailing: what is sent to whom and when, and how far it has got."""

    model_config = ConfigDict(json_schema_extra={"examples": [CAMPAIGN_EXAMPLE]})

    id: Annotated[int, Field(description="The campaign's id.")]
    batch: BatchNumber
    sender: Annotated[CampaignSender, Field(description="Whom it comes from.")]
    from_address: FromAddress
    from_name: Annotated[str | None, Field(description="The sender's name that recipients see.")]
    reply_to: Annotated[str | None, Field(description="Where answers go.")]
    templates: Annotated[list[CampaignTemplate], Field(description="The templates it uses.")]
    lists: Annotated[list[CampaignList], Field(description="The contact lists it is sent to.")]
    address_source: Source
    address_source_code: Annotated[int | None, Field(description="The platform's own code of the source.")]
    send_limit: SendLimit
    recipient_count: RecipientCount
    scheduled_at: Annotated[datetime | None, Field(description="When it is to be sent.")]
    started_at: Annotated[datetime | None, Field(description="When sending began.")]
    finished_at: Annotated[datetime | None, Field(description="When sending ended.")]
    sent_count: Annotated[int | None, Field(description="Messages sent so far.")]
    error_count: ErrorCount
    status: Annotated[CampaignStatus | None, Field(description="How far it has got.")]
    status_code: Annotated[int | None, Field(description="The platform's own code of the status.")]
    tracking: Annotated[AnyCampaignTracking | None, Field(description="What is tracked.")]
    tracking_code: Annotated[int | None, Field(description="The platform's own code of what is tracked.")]


class ExpansionError(PublicModel):
    """A part that could not be read; the campaign is answered without it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ERROR]})

    campaign_id: Annotated[int, Field(description="Whose part.")]
    part: Annotated[CampaignPart, Field(description="Which part.")]
    code: Annotated[str, Field(description="The code of the error that reading it ended in.")]


ExpansionErrors = Annotated[
    Sequence[ExpansionError], Field(description="With `expand` alone: the parts that could not be read.")
]


class CampaignParts(PublicModel):
    """What `expand` names; null before the campaign has been sent, or where reading failed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PARTS]})

    statistics: Annotated[CampaignStatistics | None, Field(description="With `expand=statistics` alone.")] = None
    tracking: Annotated[Tracking | None, Field(description="With `expand=tracking` alone.")] = None


class ExpandedCampaign(Campaign):
    """A campaign, with the parts that `expand` names."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**CAMPAIGN_EXAMPLE, "expanded": _PARTS}]})

    expanded: Annotated[
        CampaignParts | None, Field(description="With `expand` alone: the parts, as their own resources give them.")
    ] = None


class CampaignDetails(ExpandedCampaign):
    """One campaign, with the parts that `expand` names."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DETAILS]})

    expansion_errors: ExpansionErrors = ()


class CampaignPage(Page[ExpandedCampaign]):
    """One page of campaigns, with the parts that `expand` names."""

    expansion_errors: ExpansionErrors = ()


class Send(PublicModel):
    """A campaign as the platform's sending statistics list it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_HEAD,
                    "template_id": 255201,
                    "template_ids": [255201],
                    "template_name": "春季促销",
                    "list_id": 418801,
                    "list_ids": [418801],
                    "list_name": "Newsletter 北京",
                    **_FACTS,
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The campaign's id.")]
    batch: BatchNumber
    from_address: FromAddress
    from_name: Annotated[str | None, Field(description="The sender's name that recipients see.")]
    reply_to: Annotated[str | None, Field(description="Where answers go.")]
    template_id: FirstId
    template_ids: Annotated[list[int], Field(description="All its templates.")]
    template_name: Annotated[str | None, Field(description="The template's name.")]
    list_id: FirstId
    list_ids: Annotated[list[int], Field(description="All its contact lists.")]
    list_name: Annotated[str | None, Field(description="The contact list's name.")]
    address_source: Source
    address_source_code: Annotated[int | None, Field(description="The platform's own code of the source.")]
    send_limit: SendLimit
    recipient_count: RecipientCount
    scheduled_at: Annotated[datetime | None, Field(description="When it is to be sent.")]
    started_at: Annotated[datetime | None, Field(description="When sending began.")]
    finished_at: Annotated[datetime | None, Field(description="When sending ended.")]
    sent_count: Annotated[int | None, Field(description="Messages sent so far.")]
    error_count: NotTriedCount
    status: Annotated[CampaignStatus | None, Field(description="How far it has got.")]
    status_code: Annotated[int | None, Field(description="The platform's own code of the status.")]
    tracking: Annotated[AnyCampaignTracking | None, Field(description="What is tracked.")]
    tracking_code: Annotated[int | None, Field(description="The platform's own code of what is tracked.")]
