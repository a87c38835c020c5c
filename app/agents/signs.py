"""What is told of mail to one address."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from app.agents.lookups import Address
from app.api.types import IsoDate, PublicModel, RequestModel

DAYS = 7
MOST_DAYS = 31

Kind = Literal["failed", "opened", "clicked", "unsubscribed", "message_accepted", "message_rejected"]
SignKind = TypeAliasType(
    "SignKind",
    Annotated[
        Kind,
        Field(
            description="What was seen; `opened` and `clicked` prove that the mail arrived. `message_accepted` and"
            " `message_rejected` are what the relay said of a single message."
        ),
    ],
)
Verdict = Literal["arrived", "failed", "unsubscribed", "sent_without_sign", "not_sent", "unknown"]
Conclusion = TypeAliasType(
    "Conclusion",
    Annotated[
        Verdict,
        Field(
            description="`failed`: a delivery failed, or the relay refused. `arrived`: opened or clicked."
            " `unsubscribed`: the address left a list that was sent to. `sent_without_sign`: a campaign went to a"
            " list that has the address, and nothing more is known; it may lie in a spam folder, or tracking was off."
            " `not_sent`: no campaign went to a list that has the address. `unknown`: not everything could be"
            " looked through."
        ),
    ],
)


class DiagnoseDelivery(RequestModel):
    """Whose mail, and since when."""

    email: Address
    since: Annotated[
        IsoDate | None,
        Field(description=f"The first day of sending, at most {MOST_DAYS} days ago; by default {DAYS} days ago."),
    ] = None


class DeliverySign(PublicModel):
    """One thing that was seen of mail to the address."""

    kind: Annotated[SignKind, Field(description="What was seen.")]
    campaign_id: Annotated[int | None, Field(description="Of which campaign; null where it cannot be told.")]
    list_id: Annotated[int | None, Field(description="For `unsubscribed`: which list the address left.")]
    at: Annotated[datetime | None, Field(description="When; null where the platform does not tell.")]
    detail: Annotated[str | None, Field(description="Why it failed, or which link was clicked: the platform's data.")]


class CampaignSeen(PublicModel):
    """A campaign that went to a list which has, or had, the address."""

    campaign_id: Annotated[int, Field(description="The campaign's id.")]
    status: Annotated[str | None, Field(description="How far it has got.")]
    started_at: Annotated[datetime | None, Field(description="When its sending began.")]
    tracked: Annotated[bool, Field(description="Whether opens are tracked; otherwise none can be seen.")]
    list_ids: Annotated[list[int], Field(description="The lists it went to.")]


class NotLookedAt(PublicModel):
    """Something that was not, or not wholly, looked through."""

    what: Annotated[str, Field(description="What it is.")]
    code: Annotated[str, Field(description="The error's code, or `too_many`.")]


class DeliveryDiagnosis(PublicModel):
    """What became of campaigns' mail to one address."""

    email: Annotated[str, Field(description="The address.")]
    since: Annotated[date, Field(description="The first day looked at, in the platform's zone.")]
    until: Annotated[date, Field(description="The last day looked at.")]
    conclusion: Annotated[Conclusion, Field(description="What that comes to.")]
    list_ids: Annotated[list[int], Field(description="The lists that have the address now.")]
    campaigns: Annotated[list[CampaignSeen], Field(description="The latest campaigns to its lists.")]
    signs: Annotated[list[DeliverySign], Field(description="Everything that was seen.")]
    not_looked_at: Annotated[list[NotLookedAt], Field(description="Empty if all was looked through.")]
