"""Public models of contact lists."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.types import Changes, Example, LongText, Name, PublicModel, RequestModel

Status = Literal["enabled", "disabled"]

_EXAMPLE: Example = {
    "id": 78,
    "name": "Newsletter 北京",
    "description": "Readers in Beijing",
    "contact_count": 120,
    "status": "enabled",
}


class ContactList(PublicModel):
    """A contact list."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    name: str | None
    description: str | None
    contact_count: int | None
    status: Literal["enabled", "disabled", "unknown"] | None


class NewContactList(RequestModel):
    """A contact list to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Newsletter 北京", "description": "Readers in Beijing"}]}
    )

    name: Name
    status: Status = "enabled"
    description: LongText | None = None


class ContactListChanges(Changes):
    """The fields of a contact list to change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Newsletter 上海"}, {"status": "disabled"}]})

    name: Name = ""
    status: Status = "enabled"
    description: Annotated[LongText | None, Field(description="null removes it.")] = None
