"""The endpoint of preflights."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from app.api.deps import AnyScopeCall, Call, resource_router
from app.api.documentation import WITH_KEY, describes, documents
from app.api.languages import Catalogue, catalogue, language_of
from app.api.responses import answer
from app.api.types import Flag, Id
from app.errors import Conflict
from app.gateway.operation import Effect
from app.preflight.checks import Checks
from app.preflight.facts import Enquiry, Facts
from app.preflight.outcomes import Outcome
from app.preflight.schemas import Preflight, PreflightCheck, PreflightCredits, PreflightRecipients
from app.resources.campaigns.operations import GET
from app.resources.campaigns.permission import creation_digest, known_of, release_digest, resembles
from app.resources.campaigns.requests import NewCampaign
from app.resources.templates.operations import REVIEW
from app.storage.writes import approvals
from app.storage.writes.approvals import Ticket, new_ticket
from app.texts import Text, sentence

router = resource_router("/v1", "Campaigns")

_TICKET_SECONDS = 900.0
_DOCUMENTED = documents(
    REVIEW,
    kept=False,
    summary="Check a campaign before it is created",
    response_model=Preflight,
    any_scope=("draft", "send"),
    errors=(Conflict, *WITH_KEY),
)
# The platform is only read; what it leaves is a ticket.
_DOCUMENTED["openapi_extra"] |= describes(Effect.IDEMPOTENT_WRITE, _DOCUMENTED["openapi_extra"]["x-upstream-operation"])


@router.post(
    "/campaigns/preflight",
    **_DOCUMENTED,
)
async def preflight_campaign(
    body: NewCampaign,
    call: AnyScopeCall,
    allow_duplicate: Annotated[
        Flag, Query(description="Do not block it because an equal one was created a few minutes ago.")
    ] = False,
    campaign_id: Annotated[
        Id | None,
        Query(
            description="A held campaign that the body describes: the ticket lets it be released as it now is, to the"
            " body's `recipients` and at its `schedule.at`; without a time, at once."
        ),
    ] = None,
) -> Response:
    """Tell what would become of a campaign, without sending anything.

    The platform is asked everything at once. What it cannot tell is `unknown`, with the reason. Unless a check fails
    there is a ticket, good for 15 minutes and once: `POST /v1/campaigns` with the same body takes it in the header
    `Preflight-Ticket`.
    """
    call.require("draft")
    digest = await _digest(body, call, campaign_id)
    facts = await Enquiry(call.services, call.caller).about(body, campaign_id)
    now, tenant = call.services.platform_clock.now(), call.caller.tenant
    repeats = allow_duplicate or campaign_id is not None
    looks_for_equal = bool(call.services.send_limits.duplicate_window)
    hourly = tenant.limits.campaigns_per_hour
    checks = Checks(body, facts, now, hourly=hourly, repeats=repeats, looks_for_equal=looks_for_equal)
    outcomes = checks.outcomes()
    statuses = {each.status for each in outcomes}
    ticket, expires_at = None, None
    if "fail" not in statuses:
        ticket = new_ticket()
        seconds = await call.services.writes.transaction(
            partial(approvals.issuing_ticket, tenant.id, Ticket(ticket, digest), _TICKET_SECONDS)
        )
        expires_at = datetime.fromtimestamp(seconds, UTC)
    words = catalogue(language_of(call.request.scope))
    return answer(
        Preflight(
            verdict="blocked" if "fail" in statuses else "ready" if statuses == {"pass"} else "warnings",
            checks=[_shown(each, words) for each in outcomes],
            recipients=PreflightRecipients(
                first=body.recipients.first,
                last=body.recipients.last,
                count=checks.count(),
                list_count=facts.contacts.value.contact_count if facts.contacts.value else None,
            ),
            credits=_credits(facts, checks.count(), words),
            ticket=ticket,
            expires_at=expires_at,
        )
    )


async def _digest(body: NewCampaign, call: Call, campaign_id: int | None) -> str:
    if campaign_id is None:
        return creation_digest(body)
    # The version first: whatever changes after that voids the ticket.
    known = await known_of(call.services.writes, call.caller.tenant.id, campaign_id)
    present = await call.run(GET, campaign_id)
    if present.status != "held" or not resembles(body, present):
        raise Conflict("The campaign is not held, or is another one than the body describes.")
    return release_digest(present, known.version, body.recipients, body.schedule.at)


def _shown(outcome: Outcome, words: Catalogue) -> PreflightCheck:
    return PreflightCheck(
        code=outcome.code, status=outcome.status, message=words.gettext(outcome.message), pointer=outcome.pointer
    )


def _credits(facts: Facts, count: int | None, words: Catalogue) -> PreflightCredits:
    available = facts.service.value.quota_available if facts.service.value else None
    reason: Text | None = None
    if facts.rate.reason is not None or facts.rate.missing:
        reason = sentence("What earlier campaigns cost cannot be read.")
    elif facts.rate.value is None:
        reason = sentence("No campaign has been finished yet by whose cost this one could be judged.")
    elif count is None:
        reason = sentence("How many recipients there are is not known.")
    if reason is not None or facts.rate.value is None or count is None:
        return PreflightCredits(
            available=available, expected=None, expected_reason=words.gettext(reason) if reason else None
        )
    return PreflightCredits(available=available, expected=round(count * facts.rate.value, 2), expected_reason=None)
