"""Public models of contacts."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.contact_rows import CONTACT_EXAMPLE, ContactRow, Sex, VariableName
from app.api.types import Changes, EmailAddress, IsoDate, PublicModel, RequestModel, ShortText


class Contact(PublicModel):
    """A contact."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": 90210, "list_id": 78, **CONTACT_EXAMPLE, "created_at": "2026-03-02T09:30:00+08:00"}]
        }
    )

    id: int
    list_id: Annotated[int | None, Field(description="null for a contact in no list.")]
    email: str | None
    name: str | None
    sex: Literal["male", "female", "unknown"] | None
    birthday: date | None
    phone: Annotated[str | None, Field(description="Kept as text: leading zeros matter.")]
    area: str | None
    variables: Annotated[dict[str, str], Field(description="`var1` to `var10`, only those set.")]
    created_at: datetime | None


class ContactBatch(RequestModel):
    """Up to 500 contacts to add at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contacts": [CONTACT_EXAMPLE, {"email": "zhang.wei@example.com"}]}]}
    )

    contacts: Annotated[list[ContactRow], Field(min_length=1, max_length=500)]


class BatchAccepted(PublicModel):
    """What became of a batch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"accepted": 2, "upstream_message": "添加成功"}]})

    accepted: Annotated[int, Field(description="Contacts handed to the platform, duplicates included.")]
    upstream_message: Annotated[str | None, Field(description="The platform's own words.")]


class ContactChanges(Changes):
    """The fields of a contact to change; null or an empty text clears one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "李娜", "variables": {"var1": None}}]})

    email: EmailAddress = ""
    name: ShortText | None = None
    sex: Sex | None = None
    birthday: IsoDate | None = None
    phone: ShortText | None = None
    area: ShortText | None = None
    variables: Annotated[
        dict[VariableName, ShortText | None],
        Field(default_factory=dict, description="Only the variables named are changed.", min_length=1),
    ]
