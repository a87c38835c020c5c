"""What a tenant demands before a campaign goes out: another person than those who made it, and a preflight."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from app.errors import Conflict, PreflightRequired, SecondPersonRequired, TicketInvalid
from app.gateway.context import Caller
from app.resources.campaigns.editing import EditCampaign, Timing
from app.resources.campaigns.forms import CreateCampaign
from app.resources.campaigns.matching import Sought, sought
from app.resources.campaigns.operations import CREATE
from app.resources.campaigns.requests import NewCampaign, Recipients
from app.resources.campaigns.schemas import Campaign
from app.storage.database.statements import Work
from app.storage.events import watching
from app.storage.writes import approvals
from app.storage.writes.approvals import Authorship, Fault, Ticket, TicketRefused
from app.storage.writes.models import NewAttempt
from app.storage.writes.store import WriteStore
from app.texts import sentence

_LOOKED_BACK = timedelta(days=400)
_FAULTS: dict[Fault, str] = {
    "unknown": sentence("There is no such ticket. Nothing was sent; ask for a new preflight."),
    "used": sentence("This ticket has been used already. Nothing was sent; ask for a new preflight."),
    "expired": sentence("This ticket has expired. Nothing was sent; ask for a new preflight."),
    "other_request": sentence(
        "This ticket is for another request than this one. Nothing was sent; ask for a new preflight."
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands with the tenant's rules.

    Args:
        authors: the persons who made it, or may have, where that is not certain.
    """

    known: Authorship
    authors: frozenset[str]

    def involved(self, person: str) -> bool:
        """Tell whether a person made the campaign, or may have, or was the last to change it."""
        return person in self.authors or person in self.editors

    @property
    def editors(self) -> frozenset[str]:
        return frozenset((self.known.editor or "").split("\n")) - {""}

    def changed(self, caller: Caller, campaign_id: int, *, edits: bool) -> Work[None]:
        """Return the steps that write down an edit or, without one, a release; they raise `CampaignChanged`.

        Until `settled`, both the editor and those before count as the last one.
        """
        author = "\n".join(sorted(self.authors)) or None
        editor = "\n".join(sorted({*self.editors, caller.person})) if edits else None
        return partial(approvals.noting_change, caller.tenant.id, campaign_id, self.known, author=author, editor=editor)

    def settled(self, caller: Caller, campaign_id: int, *, carried_out: bool) -> list[Work[None]]:
        """Return the steps that write down the last editor of an edit whose fate is known, if there is a choice."""
        editor = caller.person if carried_out else self.known.editor
        if self.editors | {caller.person} == {editor}:
            return []
        return [partial(approvals.settling_editor, caller.tenant.id, campaign_id, self.known, editor)]


async def known_of(writes: WriteStore, tenant: str, campaign_id: int) -> Authorship:
    """Return what is written down of a campaign; raises `StateUnavailable` where it cannot be read."""
    return await writes.reading(partial(approvals.finding_author, tenant, campaign_id))


async def standing_of(writes: WriteStore, caller: Caller, present: Campaign) -> Standing:
    """Return how a campaign stands; where no author is written down, whoever may have made it counts as one.

    Raises:
        StateUnavailable: it cannot be read.
    """
    tenant = caller.tenant.id
    known = await known_of(writes, tenant, present.id)
    if known.author is not None:
        return Standing(known, frozenset(known.author.split("\n")))
    since = writes.now() - _LOOKED_BACK
    # Whoever sent what may have become this campaign, and has not been told so.
    unresolved = await writes.unresolved(tenant, CREATE.name, since)
    people = {each.request.get("person") for each in unresolved if Sought.from_json(each.request).among([present])}
    return Standing(known, frozenset(person for person in people if person))


def authored(attempt: NewAttempt, campaign_id: int) -> list[Work[None]]:
    """Return the steps that write down who made a campaign and have it watched, to go with the confirmation."""
    watched = partial(watching.watch, attempt.tenant, "campaign", campaign_id)
    person = attempt.request.get("person")
    if person is None:
        return [watched]
    preflighted = bool(attempt.request.get("preflighted"))
    return [partial(approvals.noting_author, attempt.tenant, campaign_id, person, preflighted=preflighted), watched]


def check_creation(caller: Caller, campaign: NewCampaign, ticket: str | None) -> list[Work[None]]:
    """Check whether a caller may create a campaign; return the steps that use the ticket up.

    Raises:
        SecondPersonRequired: it would go out without another person.
        PreflightRequired: a ticket is needed.
    """
    if caller.tenant.sends.two_persons and campaign.schedule.mode != "hold":
        raise SecondPersonRequired(
            "In this tenant a campaign goes out only when a second person releases it: create it with the schedule"
            " `hold`. Nothing was sent."
        )
    return _used(caller, ticket, creation_digest(campaign), demanded=caller.tenant.sends.require_preflight)


def check_release(
    caller: Caller, present: Campaign, standing: Standing, ticket: str | None, edit: EditCampaign, *, edits: bool
) -> list[Work[None]]:
    """Check whether a caller may put a campaign into the queue; return the steps that use the ticket up.

    Raises:
        SecondPersonRequired: another person must.
        PreflightRequired: a ticket is needed.
    """
    rules = caller.tenant.sends
    if rules.two_persons and edits:
        raise SecondPersonRequired(
            "In this tenant nobody sends what they have changed: hold the campaign with the change (`schedule`:"
            " `hold`) and have another person release it. Nothing was changed."
        )
    if rules.two_persons and standing.involved(caller.person):
        raise SecondPersonRequired(
            "You made or last changed this campaign; another person must release it. Nothing was sent."
        )
    demanded = rules.require_preflight and (edits or not standing.known.preflighted)
    at = edit.timing.time if edit.timing.mode == "at" else None
    digest = release_digest(present, standing.known.version, edit.recipients, at, edits=edits)
    return _used(caller, ticket, digest, demanded=demanded)


def _used(caller: Caller, ticket: str | None, digest: str, *, demanded: bool) -> list[Work[None]]:
    if ticket is not None:
        shown = Ticket(ticket, digest)
        return [partial(approvals.using_ticket, caller.tenant.id, shown, caller.context.request_id)]
    if demanded:
        raise PreflightRequired(
            "In this tenant nothing goes out without a preflight: `POST /v1/campaigns/preflight` gives a ticket for the"
            " header `Preflight-Ticket`. Nothing was sent."
        )
    return []


def creation_digest(campaign: NewCampaign) -> str:
    """Return the digest of a request to create a campaign: equal for bodies that say the same."""
    body = campaign.model_dump(mode="json", by_alias=True)
    if (at := campaign.schedule.at) is not None:
        body["schedule"]["at"] = at.astimezone(UTC).isoformat()
    return _digest({"create": body})


def resembles(body: NewCampaign, present: Campaign) -> bool:
    """Tell whether a campaign is what a body describes, as far as the platform shows it, its time aside."""
    if present.scheduled_at is None:
        return False
    wanted = sought(CreateCampaign(body, Timing("at", present.scheduled_at)))
    shown = (present.reply_to or None, present.tracking)
    return bool(wanted.among([present])) and shown == (body.reply_to, body.tracking)


def release_digest(
    present: Campaign, version: int, recipients: Recipients, at: datetime | None, *, edits: bool = False
) -> str:
    """Return the digest of a release: another one after any change, also one made elsewhere that the platform shows.

    Args:
        recipients: that are to get it, as far as is known here.
        at: when it is to go out; None for at once.
    """
    content = present.model_dump(
        mode="json", include={"sender", "from_name", "reply_to", "send_limit", "tracking_code"}
    )
    content |= {"templates": [each.id for each in present.templates], "lists": [each.id for each in present.lists]}
    content |= {
        "recipients": [recipients.first, recipients.last or 0],
        "at": at and at.astimezone(UTC).replace(microsecond=0).isoformat(),
    }
    return _digest({"release": present.id, "version": version, "edits": edits, "content": content})


def _digest(value: dict[str, Any]) -> str:
    # RFC 8785, for values without fractions and with names in ASCII.
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def ticket_invalid(refused: TicketRefused) -> TicketInvalid:
    """Return the error for a ticket that was refused."""
    if refused.request_id:
        return TicketInvalid(
            sentence(
                "The request {request_id} has used this ticket already. Nothing was sent; ask for a new preflight.",
                request_id=refused.request_id,
            )
        )
    return TicketInvalid(_FAULTS[refused.fault])


def changed_meanwhile() -> Conflict:
    """Return the error for a change or a release that lost against another one."""
    return Conflict(
        "Somebody else has changed or released this campaign meanwhile. Nothing was changed; read it and decide again."
    )
