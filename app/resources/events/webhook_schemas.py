"""Public models of webhooks and their deliveries."""

from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx2
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from app.api.types import Changes, Example, LongText, PublicModel, RequestModel
from app.resources.events.schemas import EventType, Type
from app.storage.events.deliveries import DeliveryRecord, DeliveryState
from app.storage.events.log import event_id
from app.storage.events.webhooks import WebhookRecord

_URL = r"^[hH][tT][tT][pP][sS]?://[!-~]+$"


def _receiver(value: str) -> str:
    try:
        httpx2.URL(value)
        parts = urlsplit(value)
        port = parts.port
    except (httpx2.InvalidURL, ValueError):
        raise PydanticCustomError("receiver_url", "must be a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise PydanticCustomError("receiver_url", "must be a URL")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise PydanticCustomError("receiver_url", "must carry neither credentials nor a fragment")
    return value


def _once(types: list[str]) -> list[str]:
    if "*" in types and len(types) > 1:
        raise PydanticCustomError("every_type", "`*` stands for all types, and alone")
    return list(dict.fromkeys(types))


ReceiverUrl = Annotated[str, StringConstraints(max_length=2000, pattern=_URL), AfterValidator(_receiver)]
SubscribedType = TypeAliasType(
    "SubscribedType", Annotated[Literal[Type, "*"], Field(description="A type of events; `*` for all.")]
)
Subscribed = Annotated[list[SubscribedType], Field(min_length=1, max_length=50), AfterValidator(_once)]
WebhookDeliveryStatus = TypeAliasType(
    "WebhookDeliveryStatus",
    Annotated[DeliveryState, Field(description="`pending` until it is delivered or, after three days, given up.")],
)

_WEBHOOK: Example = {
    "id": "wh_3f6c1b9a7d2e4c58",
    "url": "https://hooks.example.com/umail",
    "types": ["campaign.finished", "template.rejected"],
    "description": "销售系统",
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "previous_secret_expires_at": None,
    "created_at": "2026-03-02T09:30:00.000+08:00",
    "updated_at": "2026-03-02T09:30:00.000+08:00",
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwq3nT0pYcX1s="  # noqa: S105 - an example


class NewWebhook(RequestModel):
    """Where to deliver which events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://hooks.example.com/umail", "types": ["campaign.finished"], "description": "CRM"}
            ]
        }
    )

    url: Annotated[ReceiverUrl, Field(description="Where events are posted to: https, at a public address.")]
    types: Annotated[Subscribed, Field(description="Which events; `*` alone for all.")]
    description: Annotated[LongText | None, Field(description="What it is for, for people.")] = None


class WebhookChanges(Changes):
    """Changes to a webhook."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"types": ["*"], "enabled": True}]})

    url: Annotated[ReceiverUrl, Field(description="Where events are posted to.")] = ""
    types: Annotated[Subscribed, Field(default_factory=list, description="Which events; `*` alone for all.")]
    description: Annotated[LongText | None, Field(description="What it is for, for people.")] = None
    enabled: Annotated[bool, Field(description="Whether events are delivered to it.")] = True


class Webhook(PublicModel):
    """A receiver of events."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    id: Annotated[str, Field(description="The webhook's id.")]
    url: Annotated[str, Field(description="Where events are posted to.")]
    types: Annotated[list[str], Field(description="Which events; `*` alone for all.")]
    description: Annotated[str | None, Field(description="What it is for, for people.")]
    enabled: Annotated[bool, Field(description="Whether events are delivered to it.")]
    disabled_reason: Annotated[str | None, Field(description="Why the gateway has disabled it; null if it has not.")]
    failing_since: Annotated[
        datetime | None, Field(description="Since when nothing has been delivered; null if the last attempt succeeded.")
    ]
    previous_secret_expires_at: Annotated[
        datetime | None, Field(description="Until when the secret before the present one signs, too.")
    ]
    created_at: Annotated[datetime, Field(description="When it was created.")]
    updated_at: Annotated[datetime, Field(description="When it was last changed.")]


class CreatedWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_WEBHOOK, "secret": _SECRET}]})

    secret: Annotated[str, Field(description="What deliveries are signed with (Standard Webhooks); keep it.")]


class WebhookAttempt(PublicModel):
    """One attempt to deliver an event."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"at": "2026-03-02T09:30:01.120+08:00", "status": 503, "seconds": 0.21, "error": None}]
        }
    )

    at: Annotated[datetime, Field(description="When it ended.")]
    status: Annotated[int | None, Field(description="The HTTP status of the answer; null if there was none.")]
    seconds: Annotated[float, Field(description="How long it took.")]
    error: Annotated[str | None, Field(description="Why there was no answer.")]


_DELIVERY: Example = {
    "id": "evt_0642a8c1f3e9c0a1b2c3d4",
    "type": "campaign.finished",
    "status": "pending",
    "attempt_count": 1,
    "attempts": [{"at": "2026-03-02T09:30:01.120+08:00", "status": 503, "seconds": 0.21, "error": None}],
    "next_attempt_at": "2026-03-02T09:30:06.400+08:00",
    "created_at": "2026-03-02T09:30:00.900+08:00",
}


class WebhookDelivery(PublicModel):
    """An event on its way to a webhook."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: Annotated[str, Field(description="The event's id, which deliveries carry as `webhook-id`.")]
    type: Annotated[EventType, Field(description="What has happened.")]
    status: Annotated[WebhookDeliveryStatus, Field(description="How far it is.")]
    attempt_count: Annotated[int, Field(description="Attempts since it was last begun.")]
    attempts: Annotated[list[WebhookAttempt], Field(description="The first attempt and the last twenty.")]
    next_attempt_at: Annotated[
        datetime | None,
        Field(description="When it is attempted next, unless earlier events of its resource hold it up."),
    ]
    created_at: Annotated[datetime, Field(description="When the event was noticed.")]


def webhook_of(record: WebhookRecord, zone: tzinfo) -> Webhook:
    """Return a webhook as it is answered."""
    return Webhook(**_fields(record, zone))


def created_webhook(record: WebhookRecord, secret: str, zone: tzinfo) -> CreatedWebhook:
    """Return a webhook with its new secret."""
    return CreatedWebhook(**_fields(record, zone), secret=secret)


def _fields(record: WebhookRecord, zone: tzinfo) -> dict[str, Any]:
    return {
        "id": record.id,
        "url": record.url,
        "types": list(record.types),
        "description": record.description,
        "enabled": record.enabled,
        "disabled_reason": record.disabled_reason,
        "failing_since": _time(record.failing_since, zone),
        "previous_secret_expires_at": _time(record.previous_until, zone),
        "created_at": _time(record.created_at, zone),
        "updated_at": _time(record.updated_at, zone),
    }


def delivery_of(record: DeliveryRecord, tenant: str, zone: tzinfo) -> WebhookDelivery:
    """Return a delivery as it is answered."""
    return WebhookDelivery(
        id=event_id(tenant, record.number),
        type=record.type,  # type: ignore[arg-type]  # the log holds no others
        status=record.status,
        attempt_count=record.tries,
        attempts=[WebhookAttempt(**each) for each in record.attempts],
        next_attempt_at=_time(record.due_at, zone),
        created_at=datetime.fromtimestamp(record.created_at, zone),
    )


def _time(seconds: float | None, zone: tzinfo) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, zone)
