"""The tool that submits single messages."""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.agents.api import ToolApi
from app.agents.tool import Tool
from app.api.types import DocumentText, EmailAddress, HeaderText, RequestModel
from app.resources.messages.schemas import NamedAddress, SubmittedMessage

_MOST = 20

Addresses = Annotated[list[EmailAddress], Field(max_length=_MOST)]


class SubmitMessage(RequestModel):
    """A message to one person or a few."""

    message_key: Annotated[
        str,
        StringConstraints(pattern=r"^[!-~]{1,200}$"),
        Field(
            description="Your own name for this message, such as `order-4711-receipt`. A message whose key was used"
            " before is never sent again: repeat a call with the same key if you do not know what became of it."
        ),
    ]
    sender: Annotated[NamedAddress, Field(alias="from", description="Who sends it; the relay decides who may.")]
    to: Annotated[Addresses, Field(min_length=1, description="Who gets it.")]
    cc: Addresses = Field(default_factory=list, description="Who gets a copy.")
    bcc: Addresses = Field(default_factory=list, description="They get the message and are named nowhere in it.")
    reply_to: Annotated[EmailAddress | None, Field(description="Where answers go; null for the sender.")] = None
    subject: Annotated[HeaderText, Field(description="The subject line.")]
    html: Annotated[DocumentText | None, Field(description="The message as HTML; this, `text`, or both.")] = None
    text: Annotated[DocumentText | None, Field(description="The message as plain text.")] = None


async def _submit_message(api: ToolApi, arguments: SubmitMessage) -> SubmittedMessage:
    body = arguments.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"message_key"})
    headers = {"Idempotency-Key": f"mcp-{arguments.message_key}"}
    return await api.post(SubmittedMessage, "/v1/messages", body, headers=headers)


MESSAGES = (
    Tool(
        name="submit_message",
        title="Send one message",
        description="Sends one message at once to one person or a few, over the tenant's SMTP relay: receipts, replies,"
        " notices. This cannot be taken back. Not for newsletters: those are campaigns. That the relay accepts a"
        " recipient does not mean that the message has arrived.",
        arguments=SubmitMessage,
        result=SubmittedMessage,
        routes=("submit_message",),
        run=_submit_message,
    ),
)
