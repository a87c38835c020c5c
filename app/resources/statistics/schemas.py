"""Public models of statistics."""

import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import Example, PublicModel


class DailyStatistics(PublicModel):
    """What an account sent on one day."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "date": "2026-03-02",
                    "web_task_count": 3,
                    "web_failed_count": 41,
                    "web_sent_count": 1180,
                    "invalid_address_count": 12,
                    "format_error_count": 8,
                    "estimated_send_count": 1200,
                    "estimated_credits": 1200.0,
                    "actual_send_count": 1180,
                    "failed_count": 41,
                    "actual_credits": 1139.0,
                }
            ]
        }
    )

    date: Annotated[datetime.date | None, Field(description="The day.")]
    web_task_count: Annotated[
        int | None,
        Field(
            description="The volume of tasks sent on the web; whether tasks or messages are counted is not documented."
        ),
    ]
    web_failed_count: Annotated[
        int | None, Field(description="Failures of sending on the web, as the platform counts them.")
    ]
    web_sent_count: Annotated[int | None, Field(description="What these sent, as the platform counts it.")]
    invalid_address_count: Annotated[int | None, Field(description="Recipients with an invalid address.")]
    format_error_count: Annotated[int | None, Field(description="Recipients whose address is malformed.")]
    estimated_send_count: Annotated[int | None, Field(description="Messages expected before sending.")]
    estimated_credits: Annotated[float | None, Field(description="Credits set aside before sending.")]
    actual_send_count: Annotated[int | None, Field(description="Messages sent.")]
    failed_count: Annotated[int | None, Field(description="Failed deliveries.")]
    actual_credits: Annotated[float | None, Field(description="Credits charged.")]


STATISTICS_EXAMPLE: Example = {
    "statistics_id": 1036701,
    "date": "2026-03-02",
    "batch": "20260302093000-2369-1",
    "expected_count": 1200,
    "sent_count": 1180,
    "invalid_count": 20,
    "failed_count": 41,
    "delivered_count": 1139,
    "mailbox_not_found_count": 25,
    "mailbox_full_count": 7,
    "recipient_rejected_count": 6,
    "spam_rejected_count": 3,
    "credits": 1139.0,
    "campaign_id": 5500001,
}


class StatisticsRow(PublicModel):
    """What became of one campaign's messages, as the platform writes it."""

    statistics_id: Annotated[int | None, Field(description="Another number than the campaign's id.")]
    date: Annotated[datetime.date | None, Field(description="The day of sending.")]
    batch: Annotated[str | None, Field(description="The campaign's batch number.")]
    expected_count: Annotated[int | None, Field(description="All recipients, those with unusable addresses included.")]
    sent_count: Annotated[int | None, Field(description="Messages sent.")]
    invalid_count: Annotated[int | None, Field(description="Recipients with an invalid or malformed address.")]
    failed_count: Annotated[int | None, Field(description="Failed deliveries, refused ones included.")]
    delivered_count: Annotated[int | None, Field(description="Messages sent and not refused.")]
    mailbox_not_found_count: Annotated[int | None, Field(description="Rejected because the mailbox does not exist.")]
    mailbox_full_count: Annotated[int | None, Field(description="Rejected because the mailbox is full.")]
    recipient_rejected_count: Annotated[
        int | None, Field(description="Rejected because the recipient does not want them.")
    ]
    spam_rejected_count: Annotated[int | None, Field(description="Rejected because they were taken for spam.")]
    credits: Annotated[float | None, Field(description="Credits charged.")]


class CampaignStatistics(StatisticsRow):
    """What became of one campaign's messages."""

    model_config = ConfigDict(json_schema_extra={"examples": [STATISTICS_EXAMPLE]})

    campaign_id: Annotated[
        int | None, Field(description="The campaign's id; null where it was asked for by its batch number.")
    ] = None


class CreditStatistics(PublicModel):
    """What one kind of charge came to on one day."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "date": "2026-03-02",
                    "company": "示例贸易有限公司",
                    "deduction_type": "web群发",
                    "send_count": 1180,
                    "total": 1139.0,
                }
            ]
        }
    )

    date: Annotated[datetime.date | None, Field(description="The day.")]
    company: Annotated[str | None, Field(description="The account's company.")]
    deduction_type: Annotated[str | None, Field(description="The kind of charge, in the platform's own words.")]
    send_count: Annotated[int | None, Field(description="Messages sent.")]
    total: Annotated[float | None, Field(description="Credits charged.")]


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
