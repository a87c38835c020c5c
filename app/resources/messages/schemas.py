"""Public models of messages."""

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.api.files import Base64, FileName
from app.api.languages import worded
from app.api.types import (
    DocumentText,
    EmailAddress,
    Example,
    HeaderText,
    Name,
    PublicModel,
    RequestModel,
)
from app.messages.mime import further_field

MAX_RECIPIENTS = 100

_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,127}"
_PARAMETER = rf'; ?{_WORD}=(?:{_WORD}|"[ !#-\[\]-~]{{0,127}}")'
_CONTENT_TYPE = rf"^{_WORD}/{_WORD}(?:{_PARAMETER}){{0,8}}$"
_COMPOSITE = ("multipart/", "message/")
_FIELD_NAME = r"^[!-9;-~]{1,76}$"
# What the gateway writes itself, what relays and filters write on the way, and what would disguise who sent it.
_RESERVED = re.compile(
    r"from|sender|reply-to|to|cc|bcc|subject|date|message-id|mime-version|return-path|received(-spf)?|delivered-to"
    r"|dkim-signature|domainkey-signature|authentication-results|(content|resent|arc)-.*",
    re.IGNORECASE,
)

_EXAMPLE: Example = {
    "from": {"email": "news@demo.example", "name": "Demo 新闻"},
    "to": [{"email": "anna@example.com", "name": "Anna"}],
    "subject": "您的订单 4711",
    "html": '<p>谢谢！</p><img src="cid:logo">',
    "text": "谢谢！",
    "headers": {"X-Order": "4711"},
    "attachments": [
        {
            "filename": "logo.png",
            "content_type": "image/png",
            "content_base64": "iVBORw0KGgo=",
            "content_id": "logo",
        },
        {"filename": "发票.pdf", "content_base64": "JVBERi0xLjcK"},
    ],
}


def _not_reserved(name: str) -> str:
    if _RESERVED.fullmatch(name):
        raise PydanticCustomError("reserved_header", "is a header that cannot be set here")
    return name


def _single_part(content_type: str) -> str:
    if content_type.lower().startswith(_COMPOSITE):
        raise PydanticCustomError("content_type", "must not be multipart or message, which are made of parts")
    return content_type


HeaderName = Annotated[str, StringConstraints(pattern=_FIELD_NAME), AfterValidator(_not_reserved)]
Body = Annotated[DocumentText, StringConstraints(min_length=1)]
ContentType = Annotated[str, StringConstraints(pattern=_CONTENT_TYPE), AfterValidator(_single_part)]
ContentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@+-]{1,128}$")]


def _distinct_names(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise PydanticCustomError("repeated_header", "names the same header twice")
    for name, value in headers.items():
        try:
            further_field(name, value)
        except ValueError:
            raise PydanticCustomError(
                "header_not_ascii", "has {name}, which must be ASCII, its domains excepted", {"name": name}
            ) from None
    return headers


class NamedAddress(RequestModel):
    """An e-mail address and the name it is shown with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "anna@example.com", "name": "Anna"}]})

    email: Annotated[EmailAddress, Field(description="The e-mail address.")]
    name: Annotated[Name | None, Field(description="The name it is shown with.")] = None


class MessageAttachment(RequestModel):
    """A file to send along."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filename": "发票.pdf", "content_base64": "JVBERi0xLjcK"}]}
    )

    filename: Annotated[FileName, Field(description="The name recipients see.")]
    content_type: Annotated[
        ContentType | None, Field(description="Its media type; guessed from the file name when it is not given.")
    ] = None
    content_base64: Annotated[Base64, Field(description="The file, as base64.")]
    content_id: Annotated[
        ContentId | None,
        Field(description="For an image inside `html`, which shows it by `cid:` and this id; other files have none."),
    ] = None


def _distinct_ids(attachments: list[MessageAttachment]) -> list[MessageAttachment]:
    ids = [each.content_id for each in attachments if each.content_id]
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("repeated_content_id", "gives two files the same content_id")
    return attachments


_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


def _named(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return NamedAddress(email=_ADDRESS.validate_python(value))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise PydanticCustomError(
            "email_address", "{reason}", {"reason": worded(first["type"], first["msg"])}
        ) from None


Recipient = Annotated[
    NamedAddress,
    BeforeValidator(_named),
    WithJsonSchema(
        {"anyOf": [{"$ref": "#/components/schemas/NamedAddress"}, {"type": "string", "format": "email"}]}, "validation"
    ),
]
"""An address with its name, or the address alone."""

Recipients = Annotated[list[Recipient], Field(max_length=MAX_RECIPIENTS)]
Headers = Annotated[
    dict[HeaderName, HeaderText],
    AfterValidator(_distinct_names),
    Field(json_schema_extra={"additionalProperties": False}),
]
Attachments = Annotated[list[MessageAttachment], AfterValidator(_distinct_ids)]


class NewMessage(RequestModel):
    """A message to send; it has `html`, `text` or both, and at most 100 recipients in all."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    sender: Annotated[NamedAddress, Field(alias="from", description="Who sends it; the relay decides who may.")]
    to: Annotated[Recipients, Field(min_length=1, description="Who gets it.")]
    cc: Recipients = Field(default_factory=list, description="Who gets a copy.")
    bcc: Recipients = Field(default_factory=list, description="They get the message and are named nowhere in it.")
    reply_to: Annotated[Recipient | None, Field(description="Where answers go; null for the sender.")] = None
    subject: Annotated[HeaderText, Field(description="The subject line.")]
    html: Annotated[Body | None, Field(description="The message as HTML.")] = None
    text: Annotated[Body | None, Field(description="The message as plain text.")] = None
    headers: Headers = Field(
        default_factory=dict,
        max_length=50,
        description="Further headers. Those that say who, when and what kind of content are not among them.",
    )
    attachments: Attachments = Field(default_factory=list, max_length=50, description="Files to send along.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.html is None and self.text is None:
            raise PydanticCustomError("no_body", "must have html, text or both")
        if len(self.to) + len(self.cc) + len(self.bcc) > MAX_RECIPIENTS:
            raise PydanticCustomError(
                "too_many_recipients", "must have at most {limit} recipients in all", {"limit": MAX_RECIPIENTS}
            )
        if self.html is None and any(each.content_id for each in self.attachments):
            raise PydanticCustomError("content_id_without_html", "has a file with a content_id but no html to show it")
        return self


class RejectedRecipient(PublicModel):
    """A recipient that the relay refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "gone@example.com", "code": 550, "message": "5.1.1 Mailbox not found"}]
        }
    )

    email: Annotated[str, Field(description="The recipient's address.")]
    code: Annotated[int, Field(description="The relay's SMTP status code; 4xx is temporary.")]
    message: Annotated[str, Field(description="The relay's own words.")]


class SubmittedMessage(PublicModel):
    """What the relay took. That it accepted a recipient does not mean that the message has arrived."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message_id": "<8f14e45fceea467f9ab4c7d1e2a30b5c@acme.example>",
                    "accepted": ["anna@example.com"],
                    "rejected": [{"email": "gone@example.com", "code": 550, "message": "5.1.1 Mailbox not found"}],
                }
            ]
        }
    )

    message_id: Annotated[str, Field(description="The Message-ID header, with its angle brackets.")]
    accepted: Annotated[list[str], Field(description="Each recipient once, however often it was named.")]
    rejected: Annotated[list[RejectedRecipient], Field(description="Recipients that the relay refused.")]
