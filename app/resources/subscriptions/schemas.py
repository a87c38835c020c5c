"""Public models of subscriptions."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.api.contact_rows import Cell
from app.api.types import EmailAddress, PublicModel, RequestModel


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
