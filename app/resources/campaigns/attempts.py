"""What is known of a send, by the idempotency key it was made under."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import PublicModel
from app.resources.campaigns.operations import CREATE, EDIT_QUEUED
from app.resources.campaigns.schemas import Campaign
from app.storage.writes.models import JournalEntry

SendKind = TypeAliasType(
    "SendKind",
    Annotated[Literal["campaign_created", "campaign_released", "message"], Field(description="What was sent.")],
)
SendState = TypeAliasType(
    "SendState",
    Annotated[Literal["pending", "confirmed", "refused", "unknown"], Field(description="What is known of a send.")],
)


_KINDS: dict[str, Literal["campaign_created", "campaign_released"]] = {
    CREATE.name: "campaign_created",
    EDIT_QUEUED.name: "campaign_released",
}


class SendAttempt(PublicModel):
    """A send, as the gateway has journaled it, before it left and after."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "idempotency_key": "first-campaign",
                    "kind": "campaign_created",
                    "state": "confirmed",
                    "campaign_id": 5500001,
                    "message_id": None,
                    "detail": None,
                    "request_id": "5b0c6c3e4a5f4b0e8d8f4f0c8a1d2e3f",
                    "created_at": "2026-03-02T01:30:00Z",
                    "updated_at": "2026-03-02T01:30:01Z",
                }
            ]
        }
    )

    idempotency_key: Annotated[str | None, Field(description="The key of the request that sent it.")]
    kind: Annotated[SendKind, Field(description="What was sent.")]
    state: Annotated[
        SendState,
        Field(
            description="`pending`: under way; `confirmed`: the platform has"
            " it; `refused`: certainly not sent; `unknown`: sent, or the"
            " gateway ended in the middle of it, and nobody knows what became of it."
        ),
    ]
    campaign_id: Annotated[
        int | None, Field(description="The campaign's id; null for a message, and as long as it is not known.")
    ]
    message_id: Annotated[str | None, Field(description="For a message: its Message-ID.")]
    detail: Annotated[str | None, Field(description="Why it was refused, or what is not known.")]
    request_id: Annotated[str, Field(description="The id of the request that sent it.")]
    created_at: Annotated[datetime, Field(description="When it was journaled, before it left.")]
    updated_at: Annotated[datetime, Field(description="When what became of it was last noted.")]


def send_attempt(attempt: JournalEntry, found: Campaign | None) -> SendAttempt:
    """Return what is shown of an attempt, given the campaign that has just been found to be it, if any."""
    reference = str(found.id) if found else attempt.reference
    campaign = attempt.request.get("campaign_id") or (reference if attempt.operation == CREATE.name else None)
    return SendAttempt(
        idempotency_key=attempt.idempotency_key,
        kind=_KINDS.get(attempt.operation, "message"),
        state="confirmed" if found else attempt.state.value,
        campaign_id=int(campaign) if campaign else None,
        message_id=attempt.request.get("message_id"),
        detail=None if found else attempt.detail,
        request_id=attempt.request_id,
        created_at=attempt.created_at,
        updated_at=attempt.updated_at,
    )
