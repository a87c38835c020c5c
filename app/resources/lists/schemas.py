"""Public models of contact lists."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import Changes, Example, LongText, Name, PublicModel, RequestModel

ContactListStatus = TypeAliasType(
    "ContactListStatus",
    Annotated[Literal["enabled", "disabled"], Field(description="Whether a contact list can be sent to.")],
)
AnyContactListStatus = TypeAliasType(
    "AnyContactListStatus",
    Annotated[
        Literal["enabled", "disabled", "unknown"],
        Field(description="Whether a contact list can be sent to; `unknown` for a word nobody documented."),
    ],
)

_EXAMPLE: Example = {
    "id": 418801,
    "name": "Newsletter 北京",
    "description": "Readers in Beijing",
    "contact_count": 120,
    "status": "enabled",
}


class ContactList(PublicModel):
    """A contact list."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: Annotated[int, Field(description="The list's id.")]
    name: Annotated[str | None, Field(description="The list's name.")]
    description: Annotated[str | None, Field(description="What the list is for.")]
    contact_count: Annotated[int | None, Field(description="How many contacts it holds.")]
    status: Annotated[AnyContactListStatus | None, Field(description="Whether it can be sent to.")]


class NewContactList(RequestModel):
    """A contact list to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Newsletter 北京", "description": "Readers in Beijing"}]}
    )

    name: Annotated[Name, Field(description="The list's name.")]
    status: Annotated[ContactListStatus, Field(description="Whether it can be sent to.")] = "enabled"
    description: Annotated[LongText | None, Field(description="What the list is for.")] = None


class ContactListChanges(Changes):
    """The fields of a contact list to change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Newsletter 上海"}, {"status": "disabled"}]})

    name: Annotated[Name, Field(description="The new name.")] = ""
    status: Annotated[ContactListStatus, Field(description="Whether it can be sent to.")] = "enabled"
    description: Annotated[LongText | None, Field(description="null removes it.")] = None


class ExportedContact(PublicModel):
    """A contact of a list, as far as an export tells."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "li.na@example.com", "name": "李娜"}]})

    email: Annotated[str, Field(description="The contact's e-mail address.")]
    name: Annotated[str | None, Field(description="The contact's name.")]


class Unsubscribe(PublicModel):
    """An address that left a list."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"unsubscribed_at": "2026-03-02T09:30:00+08:00", "email": "li.na@example.com"}]}
    )

    unsubscribed_at: Annotated[datetime | None, Field(description="null where the platform gives no readable time.")]
    email: Annotated[str, Field(description="The address that left.")]
