"""Public models of mailboxes."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.api.types import EmailAddress, Password, PublicModel, RequestModel


class Mailbox(PublicModel):
    """A mailbox of a sending domain."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": 2369,
                    "domain": "demo.example",
                    "name": "editor",
                    "address": "editor@demo.example",
                }
            ]
        }
    )

    customer_id: Annotated[int | None, Field(description="Whose it is; null for one of a system domain.")]
    domain: Annotated[str | None, Field(description="The domain it belongs to.")]
    name: Annotated[str | None, Field(description="What stands before the `@`.")]
    address: Annotated[str | None, Field(description="The mailbox's address.")]


def _without_slash(value: str) -> str:
    if "/" in value:
        raise PydanticCustomError("slash", "must not contain /, which could not stand in its path here")
    return value


MailboxAddress = Annotated[
    EmailAddress, AfterValidator(_without_slash), Field(json_schema_extra={"pattern": "^[^/]+$"})
]


class NewMailbox(RequestModel):
    """A mailbox to add to one of the domains."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"address": "editor@demo.example", "password": "a long passphrase"}]}
    )

    address: Annotated[MailboxAddress, Field(description="The mailbox's address, of a domain that is there.")]
    password: Annotated[Password, Field(description="What the mailbox logs in with at the SMTP relay.")]


class AddedMailbox(PublicModel):
    """A mailbox that was added."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"address": "editor@demo.example"}]})

    address: Annotated[str, Field(description="The mailbox's address.")]


class NewPassword(RequestModel):
    """A mailbox's new password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "a longer passphrase"}]})

    password: Annotated[Password, Field(description="What the mailbox logs in with from now on.")]
