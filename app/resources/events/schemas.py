"""Public models of events."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import Example, PublicModel

Type = Literal[
    "campaign.created",
    "campaign.started",
    "campaign.progressed",
    "campaign.finished",
    "campaign.held",
    "campaign.cancelled",
    "template.approved",
    "template.rejected",
    "import.completed",
    "import.failed",
    "domain.verified",
    "message.submitted",
    "webhook.test",
    "webhook.disabled",
]
TYPES: tuple[str, ...] = get_args(Type)
EventType = TypeAliasType("EventType", Annotated[Type, Field(description="What has happened.")])

EXAMPLE: Example = {
    "id": "evt_0642a8c1f3e9c0a1b2c3d4",
    "type": "template.approved",
    "occurred_at": "2026-03-02T09:31:12.480+08:00",
    "data": {
        "id": 255201,
        "name": "春季促销",
        "subject": "春季促销",
        "status": "approved",
        "status_code": 1,
        "colour": "green",
        "size_kb": 12,
        "size_status": "counted",
        "size_status_code": 1,
        "updated_at": "2026-03-02T09:30:00+08:00",
    },
    "previous": {"status": "checking", "status_code": -1, "colour": None},
}


class Event(PublicModel):
    """Something that has happened in the account."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: Annotated[str, Field(description="The event's id; ids sort as events do.")]
    type: Annotated[EventType, Field(description="What has happened.")]
    occurred_at: Annotated[datetime, Field(description="When it was noticed.")]
    data: Annotated[dict[str, Any], Field(description="The resource as its own path gives it.")]
    previous: Annotated[
        dict[str, Any] | None,
        Field(description="What the fields that changed were before; null where there was no before."),
    ]


class Events(PublicModel):
    """The next events of the log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [EXAMPLE], "next": EXAMPLE["id"]}]})

    data: Annotated[list[Event], Field(description="The events, oldest first.")]
    next: Annotated[str | None, Field(description="What `after` is to be next; null if nothing has happened so far.")]
