"""Creating a campaign at most once, and finding out what became of it when the platform did not say.

Before a campaign leaves, a row in the journal says so, with what is needed to recognize it. If the answer is lost, the
campaign is looked for among those that the platform shows. Exactly one that looks like it, was not there before and
can be no other attempt's is the one; anything else stays unknown, and nothing is sent again.
"""

import asyncio
import hashlib
import json
from datetime import datetime, timedelta

from app.errors import GatewayError, IdempotencyKeyReused, OutcomeUnknown, UpstreamAnswer, UpstreamMalformed
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.gateway.context import Caller
from app.gateway.pages import PageRequest
from app.gateway.sends import Sends, Sent, new_attempt
from app.resources.campaigns.forms import CreateCampaign
from app.resources.campaigns.matching import Shown, Sought, sought
from app.resources.campaigns.operations import CREATE, FIND, GET, FindCampaigns
from app.resources.campaigns.permission import authored, check_creation, ticket_invalid
from app.resources.campaigns.requests import NewCampaign
from app.resources.campaigns.schemas import Campaign
from app.storage.writes.approvals import TicketRefused
from app.storage.writes.models import AttemptState, DuplicateKey, JournalEntry
from app.texts import sentence
from app.upstream.listed import Listed

_PAGE = 500
_MOST_PAGES = 10
_FIRST_WAIT = 0.25
_OPEN = frozenset({AttemptState.PENDING, AttemptState.UNKNOWN})


class CampaignCreator:
    """Creates campaigns."""

    def __init__(
        self,
        gateway: Gateway,
        sends: Sends,
        clock: PlatformClock,
        *,
        duplicate_window: timedelta,
        lookup_seconds: float,
    ) -> None:
        self._gateway = gateway
        self._sends = sends
        self._clock = clock
        self._duplicate_window = duplicate_window
        self._lookup_seconds = lookup_seconds

    async def create(
        self, request: CreateCampaign, caller: Caller, *, allow_duplicate: bool, ticket: str | None = None
    ) -> Campaign:
        """Create a campaign, or find the one that an earlier request with the same idempotency key created.

        Raises:
            SecondPersonRequired: it would go out without another person.
            PreflightRequired: a ticket is needed.
            TicketInvalid: the ticket is not good for it.
            Conflict: an equal one was created a short while ago.
            OutcomeUnknown: it was sent, and could not be found for certain.
            StateUnavailable: the journal cannot be written; nothing was sent.
            GatewayError: anything else that kept the platform from creating it.
        """
        earlier = self._sends.earlier(caller)
        if earlier is not None:
            return await self._earlier(earlier, request, caller)
        using = check_creation(caller, request.campaign, ticket)
        wanted = await self._sought(request, caller)
        guarded = self._duplicate_window and not allow_duplicate
        since = self._clock.now() - self._duplicate_window if guarded else None
        journaled = {**wanted.as_json(), "person": caller.person, "preflighted": ticket is not None}
        attempt = new_attempt(CREATE.name, fingerprint(request.campaign), journaled, caller)
        sending = self._sends.sending(attempt, caller, unless_since=since, resumable=True, also=using)
        try:
            async with sending as sent:
                campaign = await self._gateway.call(CREATE, request, caller)
                await sent.confirmed(str(campaign.id), authored(attempt, campaign.id))
                return campaign
        except TicketRefused as refused:
            raise ticket_invalid(refused) from None
        except DuplicateKey:
            raise _still_unknown(attempt.idempotency_key, "another request with this key has sent it") from None
        except (OutcomeUnknown, UpstreamMalformed) as unanswered:
            return await self._find_out(sent, wanted, caller, unanswered)

    async def _sought(self, request: CreateCampaign, caller: Caller) -> Sought:
        """Return how the campaign will look beside those that are there, by the clock that their listing tells."""
        wanted = sought(request)
        days = wanted.days(self._present(caller))
        shown = await self._shown(wanted, caller)
        wanted = wanted.sent_at(self._present(caller))
        if not wanted.days(self._present(caller)) <= days:
            shown = await self._shown(wanted, caller)
        return wanted.beside(shown)

    def _present(self, caller: Caller) -> datetime:
        return self._clock.present(caller.tenant.upstream.base_url)

    async def settle(self, attempt: JournalEntry, caller: Caller) -> Campaign | None:
        """Look once for the campaign of an attempt whose fate is open; if it is there, that is remembered.

        Raises:
            GatewayError: the platform cannot be asked, or the journal cannot be read.
        """
        if attempt.operation != CREATE.name or attempt.state not in _OPEN:
            return None
        found, _ = await self._look(attempt, Sought.from_json(attempt.request), caller)
        if found is None or not await self._sends.confirm(attempt, str(found.id), authored(attempt, found.id)):
            return None
        return found

    async def settled_if_possible(self, attempt: JournalEntry, caller: Caller) -> Campaign | None:
        """Do as `settle`; while the platform cannot be asked, what the journal says is all that is known."""
        try:
            return await self.settle(attempt, caller)
        except GatewayError:
            return None

    async def _find_out(
        self, sent: Sent, wanted: Sought, caller: Caller, unanswered: OutcomeUnknown | UpstreamMalformed
    ) -> Campaign:
        """Look for the campaign until it shows or time is up."""
        attempt = sent.attempt
        if attempt is None:
            raise unanswered
        clock = asyncio.get_running_loop().time
        until, wait = clock() + self._lookup_seconds, _FIRST_WAIT
        found, detail = await self._look_bravely(attempt, wanted, caller)
        while found is None and clock() + wait <= until:
            await asyncio.sleep(wait)
            wait *= 2
            found, detail = await self._look_bravely(attempt, wanted, caller)
        if found is not None and await sent.found(str(found.id), authored(attempt, found.id)):
            return found
        await sent.unknown(detail)
        raise _still_unknown(attempt.idempotency_key, detail, unanswered.upstream) from unanswered

    async def _look_bravely(self, attempt: JournalEntry, wanted: Sought, caller: Caller) -> tuple[Campaign | None, str]:
        try:
            return await self._look(attempt, wanted, caller)
        except GatewayError as error:
            return None, f"looking for it failed ({error.code})"

    async def _look(self, attempt: JournalEntry, wanted: Sought, caller: Caller) -> tuple[Campaign | None, str]:
        shown = await self._shown(wanted, caller)
        rivals = await self._sends.rivals(attempt)
        taken = await self._sends.taken(attempt)
        if not (wanted.certain and shown.is_whole):
            return None, "the platform's list of campaigns is not whole, so nothing can be concluded from it"
        found = wanted.among(shown.campaigns, (int(reference) for reference in taken))
        if not found:
            return None, "no campaign that looks like it is there so far"
        if len(found) > 1:
            return None, f"several campaigns look like it ({', '.join(str(each.id) for each in found)})"
        if any(Sought.from_json(each.request).among(found) for each in rivals):
            return None, f"another request whose fate is open may have created campaign {found[0].id}"
        return found[0], ""

    async def _shown(self, wanted: Sought, caller: Caller) -> Shown:
        """Return the campaigns of the days on which the platform may list it."""
        shown: list[Campaign] = []
        is_whole = True
        for day in wanted.days(self._present(caller)):
            for number in range(1, _MOST_PAGES + 1):
                query = FindCampaigns(PageRequest(page=number, page_size=_PAGE), day=day)
                found = await self._gateway.call(FIND, query, caller)
                shown += found.data
                is_whole = is_whole and isinstance(found.data, Listed) and found.data.is_whole
                if not found.pagination.has_more:
                    break
            else:
                is_whole = False
        return Shown(shown, is_whole)

    async def _earlier(self, attempt: JournalEntry, request: CreateCampaign, caller: Caller) -> Campaign:
        """Answer for an attempt that an earlier request with the same key has made."""
        if attempt.operation != CREATE.name or attempt.fingerprint != fingerprint(request.campaign):
            raise IdempotencyKeyReused("This key has been used for another request; a new request needs a new key.")
        if attempt.state is AttemptState.CONFIRMED:
            return await self._gateway.call(GET, int(attempt.reference or 0), caller)
        campaign = await self.settle(attempt, caller)
        if campaign is None:
            raise _still_unknown(attempt.idempotency_key, attempt.detail or "it has not shown up so far")
        return campaign


def fingerprint(campaign: NewCampaign) -> str:
    """Return what two campaigns that reach the same people with the same messages have in common."""
    parts = [sorted(campaign.template_ids), campaign.list_id, campaign.recipients.first, campaign.recipients.last]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _still_unknown(key: str | None, detail: str, upstream: UpstreamAnswer | None = None) -> OutcomeUnknown:
    where = f"`GET /v1/campaigns/attempts/{key}` looks for it again." if key else CREATE.find_out
    return OutcomeUnknown(
        sentence(
            "The campaign was sent to the platform, and whether it was created is not known: "
            "{detail}. It is not sent again. {where}",
            detail=detail,
            where=where,
        ),
        upstream=upstream or UpstreamAnswer(CREATE.name, message="no confirmation"),
    )
