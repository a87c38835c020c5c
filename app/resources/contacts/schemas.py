"""Public models of contacts."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from typing_extensions import TypeAliasType

from app.api.contact_rows import CONTACT_EXAMPLE, Cell, ContactRow, Sex, VariableName
from app.api.types import Changes, EmailAddress, IsoDate, PublicModel, RequestModel, ShortText

AnySex = TypeAliasType(
    "AnySex",
    Annotated[
        Literal["male", "female", "unknown"],
        Field(description="A contact's sex; `unknown` for a word nobody documented."),
    ],
)


class Contact(PublicModel):
    """A contact."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": 90000001, "list_id": 418801, **CONTACT_EXAMPLE, "created_at": "2026-03-02T09:30:00+08:00"}
            ]
        }
    )

    id: Annotated[int, Field(description="The contact's id.")]
    list_id: Annotated[int | None, Field(description="null for a contact in no list.")]
    email: Annotated[str | None, Field(description="The contact's e-mail address.")]
    name: Annotated[str | None, Field(description="The contact's name.")]
    sex: Annotated[AnySex | None, Field(description="The contact's sex.")]
    birthday: Annotated[date | None, Field(description="The contact's birthday.")]
    phone: Annotated[str | None, Field(description="Kept as text: leading zeros matter.")]
    area: Annotated[str | None, Field(description="Where the contact lives, in any words.")]
    variables: Annotated[dict[str, str], Field(description="`var1` to `var10`, only those set.")]
    created_at: Annotated[datetime | None, Field(description="When it was added; null right after that.")]


class ContactByEmail(PublicModel):
    """An address and the contacts that have it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "li.na@example.com",
                    "memberships": [
                        {
                            "id": 90000001,
                            "list_id": 418801,
                            **CONTACT_EXAMPLE,
                            "created_at": "2026-03-02T09:30:00+08:00",
                        }
                    ],
                }
            ]
        }
    )

    email: Annotated[str, Field(description="The address in lower case, as the platform compares it.")]
    memberships: Annotated[list[Contact], Field(description="A contact for each list that has it.")]


class ContactBatch(RequestModel):
    """Up to 500 contacts to add at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contacts": [CONTACT_EXAMPLE, {"email": "zhang.wei@example.com"}]}]}
    )

    contacts: Annotated[
        list[ContactRow], Field(min_length=1, max_length=500, description="The contacts, each with an address.")
    ]


class BatchAccepted(PublicModel):
    """What became of a batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "accepted": 2,
                    "added": 1,
                    "updated": 1,
                    "refused": 0,
                    "upstream_message": "成功添加1个地址，无效地址0个，重复地址1个",
                }
            ]
        }
    )

    accepted: Annotated[int, Field(description="Contacts handed to the platform, duplicates included.")]
    added: Annotated[int | None, Field(description="New contacts; null where the platform's words do not tell.")]
    updated: Annotated[int | None, Field(description="Contacts that were there already; null likewise.")]
    refused: Annotated[int | None, Field(description="Addresses it takes for invalid; null likewise.")]
    upstream_message: Annotated[str | None, Field(description="The platform's own words.")]


class ContactDetails(RequestModel):
    """The fields of a contact to set; those that are not given stay as they are, null or an empty text clears one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "李娜", "variables": {"var1": "gold"}}]})

    name: Annotated[ShortText | None, Field(description="The contact's name.")] = None
    sex: Annotated[Sex | None, Field(description="The contact's sex.")] = None
    birthday: Annotated[IsoDate | None, Field(description="The contact's birthday.")] = None
    phone: Annotated[ShortText | None, Field(description="Kept as text: leading zeros matter.")] = None
    area: Annotated[ShortText | None, Field(description="Where the contact lives, in any words.")] = None
    variables: Annotated[
        dict[VariableName, ShortText | None],
        Field(default_factory=dict, description="Only the variables named are changed."),
    ]


class ContactChanges(Changes):
    """The fields of a contact to change; null or an empty text clears one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "李娜", "variables": {"var1": None}}]})

    email: Annotated[EmailAddress, Field(description="The new e-mail address.")] = ""
    name: Annotated[ShortText | None, Field(description="The new name.")] = None
    sex: Annotated[Sex | None, Field(description="The new sex.")] = None
    birthday: Annotated[IsoDate | None, Field(description="The new birthday.")] = None
    phone: Annotated[ShortText | None, Field(description="The new telephone number.")] = None
    area: Annotated[ShortText | None, Field(description="The new area.")] = None
    variables: Annotated[
        dict[VariableName, ShortText | None],
        Field(default_factory=dict, description="Only the variables named are changed.", min_length=1),
    ]


class Subscriber(RequestModel):
    """Somebody who subscribes to a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "li.na@example.com", "name": "李娜"}]})

    email: Annotated[EmailAddress, Field(description="The address to subscribe.")]
    name: Annotated[
        Cell | None, Field(description="Without one, the platform takes what stands before the address's `@`.")
    ] = None


class Subscriptions(RequestModel):
    """Up to 500 subscribers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"subscribers": [{"email": "li.na@example.com", "name": "李娜"}, {"email": "zhang.wei@example.com"}]}
            ]
        }
    )

    subscribers: Annotated[
        list[Subscriber], Field(min_length=1, max_length=500, description="The people to subscribe.")
    ]


class Unsubscriptions(RequestModel):
    """Up to 500 addresses that leave a list."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"emails": ["li.na@example.com", "zhang.wei@example.com"]}]}
    )

    emails: Annotated[
        list[Annotated[str, StringConstraints(strip_whitespace=True)]],
        Field(min_length=1, max_length=500, description="The addresses that leave, as the platform holds them."),
    ]


class SubscriptionsAccepted(PublicModel):
    """What became of a call that subscribes people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"accepted": 2, "upstream_message": "成功订阅2个地址，无效地址0个，重复地址0个"}]
        }
    )

    accepted: Annotated[int, Field(description="Addresses handed to the platform, whatever it knew of them before.")]
    upstream_message: Annotated[str | None, Field(description="The platform's own words.")]


class UnsubscriptionsAccepted(PublicModel):
    """What became of a call that unsubscribes addresses."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"accepted": 2, "refused": [], "upstream_message": "成功退订2个地址"}]}
    )

    accepted: Annotated[int, Field(description="Addresses handed to the platform, whether it knew them or not.")]
    refused: Annotated[
        list[str], Field(description="Texts that cannot be an address of the platform's and were not handed on.")
    ]
    upstream_message: Annotated[str | None, Field(description="The platform's own words.")]
