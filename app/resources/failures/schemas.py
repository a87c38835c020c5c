"""Public models of delivery failures."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import PublicModel

Reason = Literal[
    "mailbox_not_found", "mailbox_full", "recipient_rejected", "spam_rejected", "invalid_address", "format_error"
]
WantedReason = Literal["all", Reason]
FailureReason = TypeAliasType(
    "FailureReason",
    Annotated[
        Reason | Literal["unknown"],
        Field(description="Why a message was not delivered; `unknown` for a code nobody documented."),
    ],
)


class DeliveryFailure(PublicModel):
    """An address that did not get its message."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "li.na@example.com",
                    "reason": "mailbox_full",
                    "reason_code": 2,
                    "reason_text": "邮箱空间满",
                    "statistics_id": 1036701,
                }
            ]
        }
    )

    email: Annotated[str | None, Field(description="As it was given to the platform; it may be malformed.")]
    reason: Annotated[FailureReason | None, Field(description="Why it did not get it.")]
    reason_code: Annotated[int | None, Field(description="The platform's own code of the reason.")]
    reason_text: Annotated[str | None, Field(description="The platform's own words, where it gives some.")]
    statistics_id: Annotated[int | None, Field(description="Whose campaign's message; not the campaign's id.")]


class FailedAddress(PublicModel):
    """An address that did not get its message, and nothing else."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "li.na@example.com"}]})

    email: Annotated[str | None, Field(description="As it was given to the platform; it may be malformed.")]
