"""Public models of the console login."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from app.api.types import PublicModel

UserType = TypeAliasType(
    "UserType", Annotated[Literal["customer", "agents", "manager"], Field(description="A kind of user of the console.")]
)
LoginFieldType = TypeAliasType(
    "LoginFieldType",
    Annotated[
        Literal["text", "password", "select", "hidden", "submit"], Field(description="A kind of field, as in HTML.")
    ],
)

# Only what RFC 3986 lets stand in a URL; no user part, and no host that could be more than a name in a policy header.
_WEB_ADDRESS = re.compile(
    r"(?P<origin>https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::(?P<port>[0-9]{1,5}))?)"
    r"(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?"
)


def _web_address(value: str) -> str:
    match = _WEB_ADDRESS.fullmatch(value)
    if not match or int(match["port"] or 0) > 65535:
        raise PydanticCustomError(
            "web_address", "must be an absolute http or https URL, without a user, all but ASCII percent-encoded"
        )
    return value


def origin_of(address: str) -> str:
    """Return the origin (scheme, host and port) of a `WebAddress`."""
    match = _WEB_ADDRESS.fullmatch(address)
    return match["origin"] if match else ""


WebAddress = Annotated[
    str,
    StringConstraints(max_length=2048),
    AfterValidator(_web_address),
    Field(json_schema_extra={"pattern": f"^{_WEB_ADDRESS.pattern.replace('?P<origin>', '').replace('?P<port>', '')}$"}),
]


class LoginOption(PublicModel):
    """One kind of user, and how the form's field says it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_type": "agents", "value": "agents"}]})

    user_type: Annotated[UserType, Field(description="The kind of user.")]
    value: Annotated[str, Field(description="What is sent for it.")]


class LoginField(PublicModel):
    """One field of the form, as HTML would write it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "username", "type": "text", "required": True}]})

    name: Annotated[str, Field(description="To be sent under exactly this name.")]
    type: Annotated[LoginFieldType, Field(description="The kind of field, as in HTML.")]
    required: Annotated[bool, Field(description="Whether it must be filled in.")]
    value: Annotated[str | None, Field(description="What it is filled with to begin with.")] = None
    options: Annotated[list[LoginOption] | None, Field(description="What a `select` offers.")] = None


class LoginForm(PublicModel):
    """The login form of the platform's own console.

    The user's browser sends it to the platform; the password never passes through the gateway.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "http://www.bestedm.org/sendstat/?module=base&action=login",
                    "method": "POST",
                    "fields": [
                        {"name": "username", "type": "text", "required": True, "value": None, "options": None},
                        {"name": "password", "type": "password", "required": True, "value": None, "options": None},
                        {
                            "name": "user_type",
                            "type": "select",
                            "required": True,
                            "value": "",
                            "options": [
                                {"user_type": "customer", "value": ""},
                                {"user_type": "agents", "value": "agents"},
                                {"user_type": "manager", "value": "manager"},
                            ],
                        },
                        {
                            "name": "errurl",
                            "type": "hidden",
                            "required": False,
                            "value": "http://www.example.com/login-failed",
                            "options": None,
                        },
                        {"name": "Submit", "type": "submit", "required": False, "value": "提交", "options": None},
                    ],
                }
            ]
        }
    )

    action: Annotated[str, Field(description="Where the form is sent, on the platform's own host.")]
    method: Annotated[Literal["POST"], Field(description="How the form is sent.")]
    fields: Annotated[list[LoginField], Field(description="The form's fields, in their order.")]
