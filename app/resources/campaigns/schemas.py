"""Public models of campaigns and sends, as they are answered; `requests` has what callers send."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.types import Example, PublicModel

Status = Literal["waiting", "sending", "sent", "held", "paused", "cancelled"]
AnyStatus = Status | Literal["unknown"]
Tracking = Literal["off", "opens", "opens_and_clicks"]
AnyTracking = Tracking | Literal["unknown"]

BatchNumber = Annotated[str | None, Field(description="What statistics and tracking also go by.")]
FromAddress = Annotated[str | None, Field(description="The sender in the platform's words: not always an address.")]
FirstId = Annotated[int | None, Field(description="Of several, the first; the campaign itself has them all.")]
Source = Annotated[
    Literal["list", "subscription", "unknown"] | None, Field(description="Contact lists or the subscription list.")
]
SendLimit = Annotated[
    int | None, Field(description="The last recipient of the chosen range; 0 goes to the end of the list.")
]
RecipientCount = Annotated[int | None, Field(description="How many recipients the platform counted.")]
ErrorCount = Annotated[int | None, Field(description="Messages that were not sent at all.")]

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
    "id": 7020,
    "batch": "20260302093000-2369-53",
    "from_address": "news@example.com",
    "from_name": "Example 新闻",
    "reply_to": "service@example.com",
}
_SENDER: Example = {"type": "address", "address": "news@example.com"}


class CampaignSender(PublicModel):
    """Whom a campaign comes from."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SENDER, "domain": None}]})

    type: Annotated[
        Literal["any", "domain", "address", "unknown"] | None,
        Field(description="Any of the account's addresses, any address of one domain, or one address."),
    ]
    domain: Annotated[str | None, Field(description="Where the type is `domain`.")]
    address: Annotated[str | None, Field(description="Where the type is `address`.")]


class CampaignTemplate(PublicModel):
    """A template that a campaign uses."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 16, "name": "春季促销"}]})

    id: int | None
    name: str | None


class CampaignList(PublicModel):
    """A contact list that a campaign is sent to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 78, "name": "Newsletter 北京"}]})

    id: int | None
    name: str | None


class Campaign(PublicModel):
    """A mailing: what is sent to whom and when, and how far it has got."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_HEAD,
                    "sender": {**_SENDER, "domain": None},
                    "templates": [{"id": 16, "name": "春季促销"}],
                    "lists": [{"id": 78, "name": "Newsletter 北京"}],
                    **_FACTS,
                }
            ]
        }
    )

    id: int
    batch: BatchNumber
    sender: CampaignSender
    from_address: FromAddress
    from_name: str | None
    reply_to: str | None
    templates: list[CampaignTemplate]
    lists: list[CampaignList]
    address_source: Source
    address_source_code: int | None
    send_limit: SendLimit
    recipient_count: RecipientCount
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    sent_count: int | None
    error_count: ErrorCount
    status: AnyStatus | None
    status_code: int | None
    tracking: AnyTracking | None
    tracking_code: int | None


class Send(PublicModel):
    """A campaign as the platform's sending statistics list it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_HEAD,
                    "template_id": 16,
                    "template_name": "春季促销",
                    "list_id": 78,
                    "list_name": "Newsletter 北京",
                    **_FACTS,
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The campaign's id.")]
    batch: BatchNumber
    from_address: FromAddress
    from_name: str | None
    reply_to: str | None
    template_id: FirstId
    template_name: str | None
    list_id: FirstId
    list_name: str | None
    address_source: Source
    address_source_code: int | None
    send_limit: SendLimit
    recipient_count: RecipientCount
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    sent_count: int | None
    error_count: ErrorCount
    status: AnyStatus | None
    status_code: int | None
    tracking: AnyTracking | None
    tracking_code: int | None
