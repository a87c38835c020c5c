"""Carrying out an edit, and finding out what became of it when the platform did not say."""

import hashlib
from datetime import timedelta

from app.errors import GatewayError, OutcomeUnknown
from app.gateway.call import Gateway
from app.gateway.context import Caller
from app.gateway.operation import Effect
from app.gateway.sends import Sends, new_attempt
from app.resources.campaigns.editing import EditCampaign
from app.resources.campaigns.operations import CREATE, GET, edit_operation
from app.resources.campaigns.schemas import Campaign
from app.storage.writes.models import AttemptState, DuplicateKey
from app.texts import sentence

_QUEUED = frozenset({"waiting", "sending", "sent"})
_CLOCKS_APART = timedelta(minutes=5)


RECIPIENTS = "campaigns.recipients"
"""What the journal calls a change of a campaign's range."""


async def known_end(campaign_id: int, sends: Sends, caller: Caller) -> int | None:
    """Return where a range ends (0: the list's end) if the journal knows that it begins with the first contact.

    Raises:
        StateUnavailable: the journal cannot be read.
    """
    changed = await sends.last_alike(caller, RECIPIENTS, _fingerprint(RECIPIENTS, campaign_id))
    latest = changed or await sends.confirmed_as(caller, CREATE.name, str(campaign_id))
    if latest is None or latest.state is not AttemptState.CONFIRMED or latest.request.get("first") != 1:
        return None
    return int(latest.request["send_limit"])


async def carry_out(edit: EditCampaign, present: Campaign, gateway: Gateway, sends: Sends, caller: Caller) -> None:
    """Change a campaign; a change of its range is journaled before it leaves, and so is what puts it into the queue.

    Raises:
        OutcomeUnknown: it was sent, and the campaign does not show whether it was carried out.
        StateUnavailable: the journal cannot be written; nothing was sent.
        GatewayError: anything else that kept the platform from carrying it out.
    """
    if "recipients" not in edit.changes.model_fields_set:
        await _carry_out(edit, present, gateway, sends, caller)
        return
    noted = {"first": edit.recipients.first, "send_limit": edit.recipients.last or 0}
    async with sends.noting(RECIPIENTS, _fingerprint(RECIPIENTS, edit.campaign_id), noted, caller):
        await _carry_out(edit, present, gateway, sends, caller)


def _fingerprint(operation: str, campaign_id: int) -> str:
    return hashlib.sha256(f"{operation} {campaign_id}".encode()).hexdigest()


async def _carry_out(edit: EditCampaign, present: Campaign, gateway: Gateway, sends: Sends, caller: Caller) -> None:
    operation = edit_operation(edit)
    if operation.effect is not Effect.SEND:
        await gateway.call(operation, edit, caller)
        return
    fingerprint = _fingerprint(operation.name, edit.campaign_id)
    attempt = new_attempt(operation.name, fingerprint, {"campaign_id": edit.campaign_id}, caller)
    reference = f"{edit.campaign_id}/{attempt.id}"
    try:
        async with sends.sending(attempt, caller) as sent:
            await gateway.call(operation, edit, caller)
            await sent.confirmed(reference)
    except DuplicateKey:
        raise OutcomeUnknown(
            sentence(
                "Another request with this key has sent the change. It is not sent again. {find_out}",
                find_out=operation.find_out,
            )
        ) from None
    except OutcomeUnknown:
        if not await _is_carried_out(edit, present, gateway, caller):
            raise
        await sent.found(reference)


async def _is_carried_out(edit: EditCampaign, before: Campaign, gateway: Gateway, caller: Caller) -> bool:
    try:
        now = await gateway.call(GET, edit.campaign_id, caller)
    except GatewayError:
        return False
    return _queued_as_asked(edit, now) and _shows_a_change(edit, before, now)


def _queued_as_asked(edit: EditCampaign, now: Campaign) -> bool:
    time = edit.timing.time
    if now.status not in _QUEUED or time is None or now.scheduled_at is None:
        return False
    return abs(now.scheduled_at - time) < _CLOCKS_APART


def _shows_a_change(edit: EditCampaign, before: Campaign, now: Campaign) -> bool:
    """Tell whether the campaign differs from before in what the edit was to change, as far as the platform shows it."""
    changes, given = edit.changes, edit.changes.model_fields_set
    shown: dict[str, tuple[object, object]] = {
        "template_ids": (set(changes.template_ids), {each.id for each in now.templates}),
        "list_id": ({changes.list_id}, {each.id for each in now.lists}),
        "from_name": (changes.from_name, now.from_name),
        "reply_to": (changes.reply_to, now.reply_to),
        "tracking": (changes.tracking, now.tracking),
    }
    if any(wanted != found for name, (wanted, found) in shown.items() if name in given):
        return False
    return now != before
