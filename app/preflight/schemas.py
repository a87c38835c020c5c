"""Public models of preflights."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import PublicModel

Code = Literal[
    "template_exists",
    "template_approved",
    "template_subjects",
    "list_exists",
    "list_enabled",
    "list_has_contacts",
    "range_within_list",
    "sender_domain_usable",
    "sender_mailbox_exists",
    "service_enabled",
    "service_not_expired",
    "quota_sufficient",
    "campaigns_left_this_hour",
    "no_recent_duplicate",
    "scheduled_in_future",
    "unsubscribe_link_kept",
    "tracking_domain_usable",
]
Status = Literal["pass", "warn", "fail", "unknown"]
CheckCode = TypeAliasType("CheckCode", Annotated[Code, Field(description="What was checked.")])
PreflightStatus = TypeAliasType(
    "PreflightStatus",
    Annotated[Status, Field(description="`fail` blocks; `unknown`: it cannot be told, and the message says why.")],
)
Verdict = TypeAliasType(
    "Verdict",
    Annotated[
        Literal["ready", "warnings", "blocked"],
        Field(description="`blocked` if a check failed; `warnings` if one warns or is unknown."),
    ],
)


class PreflightCheck(PublicModel):
    """One thing that was checked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "list_enabled",
                    "status": "fail",
                    "message": "The contact list is disabled.",
                    "pointer": "/list_id",
                }
            ]
        }
    )

    code: Annotated[CheckCode, Field(description="What was checked.")]
    status: Annotated[PreflightStatus, Field(description="What came out.")]
    message: Annotated[str, Field(description="The same for people, in the language that `Accept-Language` prefers.")]
    pointer: Annotated[str | None, Field(description="The field of the body that it is about (RFC 6901).")]


class PreflightRecipients(PublicModel):
    """How many get it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from": 1, "to": None, "count": 120, "list_count": 120}]},
        populate_by_name=True,
        serialize_by_alias=True,
    )

    first: Annotated[int, Field(alias="from", description="The first contact of the list that gets it.")]
    last: Annotated[int | None, Field(alias="to", description="The last one; null is the list's end.")]
    count: Annotated[int | None, Field(description="How many that are; null if the list cannot be read.")]
    list_count: Annotated[int | None, Field(description="How many contacts the list holds.")]


class PreflightCredits(PublicModel):
    """What it may cost."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"available": 84210, "expected": 115.0, "expected_reason": None}]}
    )

    available: Annotated[int | None, Field(description="What the account may still send; null if unknown.")]
    expected: Annotated[
        float | None,
        Field(description="By what the last finished campaigns of the account cost for each recipient."),
    ]
    expected_reason: Annotated[str | None, Field(description="Why nothing is expected, for people.")]


class Preflight(PublicModel):
    """What would become of a campaign, found out without sending anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "verdict": "ready",
                    "checks": [
                        {
                            "code": "list_enabled",
                            "status": "pass",
                            "message": "The contact list is enabled.",
                            "pointer": "/list_id",
                        }
                    ],
                    "recipients": {"from": 1, "to": None, "count": 120, "list_count": 120},
                    "credits": {"available": 84210, "expected": 115.0, "expected_reason": None},
                    "ticket": "pf_5cXh0Z3nq0m2o8s9d1f7g6h4j2k1l0aa",
                    "expires_at": "2026-03-02T01:45:00Z",
                }
            ]
        }
    )

    verdict: Annotated[Verdict, Field(description="Whether it should be sent.")]
    checks: Annotated[list[PreflightCheck], Field(description="Everything that was checked.")]
    recipients: Annotated[PreflightRecipients, Field(description="How many get it.")]
    credits: Annotated[PreflightCredits, Field(description="What it may cost.")]
    ticket: Annotated[
        str | None,
        Field(description="Lets just this campaign be created, once: in `Preflight-Ticket`. Null when blocked."),
    ]
    expires_at: Annotated[datetime | None, Field(description="Until when the ticket is good.")]
