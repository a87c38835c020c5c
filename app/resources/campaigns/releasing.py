"""Changing, releasing and deleting campaigns, and finding out what became of it when the platform did not say."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import timedelta
from functools import partial

from app.api.routing import require
from app.errors import Conflict, GatewayError, OutcomeUnknown, StateUnavailable, UpstreamMalformed
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.gateway.context import Caller
from app.gateway.sends import Sends, new_attempt
from app.resources.campaigns.editing import EditCampaign, complete, plan
from app.resources.campaigns.operations import CREATE, DELETE, EDIT, EDIT_QUEUED, GET
from app.resources.campaigns.permission import (
    Standing,
    changed_meanwhile,
    check_release,
    known_of,
    standing_of,
    ticket_invalid,
)
from app.resources.campaigns.requests import CampaignChanges
from app.resources.campaigns.schemas import Campaign
from app.storage.database.statements import Steps, Work
from app.storage.events import watching
from app.storage.writes.approvals import CampaignChanged, TicketRefused
from app.storage.writes.leases import Holding
from app.storage.writes.models import AttemptState, DuplicateKey
from app.storage.writes.store import WriteStore
from app.texts import sentence

_QUEUED = frozenset({"waiting", "sending", "sent"})
_CLOCKS_APART = timedelta(minutes=5)
_CARRIED_OUT_AFTER = 1.0
"""Seconds after which the platform is likely to show a change."""
_EDIT_WAIT = 30.0
"""Seconds to wait for another edit of the same campaign."""


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


def _fingerprint(operation: str, campaign_id: int) -> str:
    return hashlib.sha256(f"{operation} {campaign_id}".encode()).hexdigest()


class CampaignEditor:
    """Changes campaigns, each by one request at a time."""

    def __init__(self, gateway: Gateway, sends: Sends, writes: WriteStore, clock: PlatformClock) -> None:
        self._gateway = gateway
        self._sends = sends
        self._writes = writes
        self._clock = clock

    async def edit(
        self, campaign_id: int, changes: CampaignChanges, caller: Caller, *, ticket: str | None, only_held: bool = False
    ) -> None:
        """Change, hold or release a campaign; if that puts it into the queue, it is journaled before it leaves.

        Args:
            only_held: refuse a campaign that is not held.

        Raises:
            Conflict: it cannot be changed, or somebody else has changed or released it meanwhile.
            InsufficientScope: the key may change held campaigns only.
            SecondPersonRequired: another person must release it.
            PreflightRequired: a ticket is needed.
            TicketInvalid: the ticket is not good for it.
            OutcomeUnknown: it was sent, and the campaign does not show whether it was carried out.
            StateUnavailable: the journal cannot be written; nothing was sent.
            GatewayError: anything else that kept the platform from carrying it out.
        """
        edits = bool(changes.model_fields_set - {"schedule"})
        timing = plan(changes.schedule, self._clock) if "schedule" in changes.model_fields_set else None
        tenant = caller.tenant
        seen = await known_of(self._writes, tenant.id, campaign_id) if tenant.sends.two_persons else None
        # An edit repeats the status it has read: were another one to hold the campaign in between, it would release it.
        async with self._alone(campaign_id, caller) as held:
            present = await self._gateway.call(GET, campaign_id, caller)
            if only_held and present.status != "held":
                raise Conflict(
                    sentence("The campaign is {state}; only a held one can be released.", state=present.status)
                )
            if present.status != "held" and (edits or timing is None or timing.mode == "hold"):
                require(caller, "write")
            end = (
                None if "recipients" in changes.model_fields_set else await known_end(campaign_id, self._sends, caller)
            )
            now = self._clock.present(tenant.upstream.base_url)
            edit = complete(changes, timing, present, now, known_end=end)
            queued = edit.timing.mode != "hold"
            standing = await standing_of(self._writes, caller, present)
            if seen is not None and seen.version != standing.known.version:
                raise changed_meanwhile()
            steps = check_release(caller, present, standing, ticket, edit, edits=edits) if queued else []
            steps.append(standing.changed(caller, campaign_id, edits=edits))
            steps.append(partial(watching.watch, tenant.id, "campaign", campaign_id, due_in=_CARRIED_OUT_AFTER))
            held.ensure()
            async with self._noting(edit, caller):
                await self._carry_out(edit, present, caller, steps, standing if edits else None)
        _note(caller, standing, released=queued)

    async def delete(self, campaign_id: int, caller: Caller) -> None:
        """Delete a campaign; a key that may only draft deletes held ones.

        Raises:
            InsufficientScope: the key may delete held campaigns only.
            GatewayError: anything that kept the platform from deleting it.
        """
        if "write" in caller.scopes:
            require(caller, "write")
            await self._gateway.call(DELETE, campaign_id, caller)
            return
        async with self._alone(campaign_id, caller) as held:
            present = await self._gateway.call(GET, campaign_id, caller)
            require(caller, "draft" if present.status == "held" else "write")
            held.ensure()
            await self._gateway.call(DELETE, campaign_id, caller)

    def _alone(self, campaign_id: int, caller: Caller) -> AbstractAsyncContextManager[Holding]:
        return self._writes.holding("campaign", caller.tenant.id, campaign_id, wait=_EDIT_WAIT)

    def _noting(self, edit: EditCampaign, caller: Caller) -> AbstractAsyncContextManager[None]:
        if "recipients" not in edit.changes.model_fields_set:
            return nullcontext()
        noted = {"first": edit.recipients.first, "send_limit": edit.recipients.last or 0}
        return self._sends.noting(RECIPIENTS, _fingerprint(RECIPIENTS, edit.campaign_id), noted, caller)

    async def _carry_out(
        self,
        edit: EditCampaign,
        present: Campaign,
        caller: Caller,
        steps: Sequence[Work[None]],
        edited: Standing | None,
    ) -> None:
        """Send an edit; `edited` is how the campaign stood if more than its schedule is changed."""
        try:
            if edit.timing.mode == "hold":
                await self._writes.transaction(lambda: _all(steps))
                async with self._settling(edit, caller, edited):
                    await self._gateway.call(EDIT, edit, caller)
            else:
                settled = edited.settled(caller, edit.campaign_id, carried_out=True) if edited else []
                await self._queue(edit, present, caller, steps, settled)
        except CampaignChanged:
            raise changed_meanwhile() from None
        except TicketRefused as refused:
            raise ticket_invalid(refused) from None

    @asynccontextmanager
    async def _settling(self, edit: EditCampaign, caller: Caller, edited: Standing | None) -> AsyncIterator[None]:
        """Write down who was the last editor, unless nobody knows whether the edit was carried out."""
        try:
            yield
        except (OutcomeUnknown, UpstreamMalformed):
            raise
        except GatewayError:
            await self._settle(edit, caller, edited, carried_out=False)
            raise
        await self._settle(edit, caller, edited, carried_out=True)

    async def _settle(self, edit: EditCampaign, caller: Caller, edited: Standing | None, *, carried_out: bool) -> None:
        settled = edited.settled(caller, edit.campaign_id, carried_out=carried_out) if edited else []
        if settled:
            # Where it cannot be written, all of them count as the last.
            with suppress(StateUnavailable):
                await self._writes.transaction(lambda: _all(settled))

    async def _queue(
        self,
        edit: EditCampaign,
        present: Campaign,
        caller: Caller,
        steps: Sequence[Work[None]],
        settled: Sequence[Work[None]],
    ) -> None:
        operation = EDIT_QUEUED
        fingerprint = _fingerprint(operation.name, edit.campaign_id)
        attempt = new_attempt(operation.name, fingerprint, {"campaign_id": edit.campaign_id}, caller)
        reference = f"{edit.campaign_id}/{attempt.id}"
        try:
            async with self._sends.sending(attempt, caller, also=steps) as sent:
                await self._gateway.call(operation, edit, caller)
                await sent.confirmed(reference, settled)
        except DuplicateKey:
            raise OutcomeUnknown(
                sentence(
                    "Another request with this key has sent the change. It is not sent again. {find_out}",
                    find_out=operation.find_out,
                )
            ) from None
        except OutcomeUnknown:
            if not await _is_carried_out(edit, present, self._gateway, caller):
                raise
            await sent.found(reference, settled)


def _note(caller: Caller, standing: Standing, *, released: bool) -> None:
    """Have the audit log tell who released what somebody else has made."""
    if released:
        people = {"author": ", ".join(sorted(standing.authors)), "editor": ", ".join(sorted(standing.editors))}
        told = {name: person for name, person in people.items() if person}
        caller.context.audit_targets = {**(caller.context.audit_targets or {}), **told, "released_by": caller.person}


def _all(works: Sequence[Work[None]]) -> Steps[None]:
    for steps in works:
        yield from steps()


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
