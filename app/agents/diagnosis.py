"""The tool that finds out what became of mail to one address."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from app.agents.api import Refused, ToolApi
from app.agents.lookups import find_contact
from app.agents.signs import (
    DAYS,
    MOST_DAYS,
    CampaignSeen,
    DeliveryDiagnosis,
    DeliverySign,
    DiagnoseDelivery,
    Kind,
    NotLookedAt,
    Verdict,
)
from app.agents.tool import Tool
from app.errors import GatewayError
from app.gateway.pages import Page
from app.resources.campaigns.schemas import Campaign
from app.resources.contacts.schemas import ContactByEmail
from app.resources.messages.schemas import SubmittedMessage
from app.resources.statistics.schemas import CampaignStatistics

T = TypeVar("T")

_MOST_CAMPAIGNS = 10
_MOST_LISTS = 20
_MOST_ROWS = 10
_MOST_EVENTS = 1000
_MESSAGE = ("message.submitted",)
_AT_ONCE = 4
_NOT_SENT = frozenset({"held", "waiting", "cancelled"})


async def _diagnose(api: ToolApi, arguments: DiagnoseDelivery) -> DeliveryDiagnosis:
    today = api.services.platform_clock.now().date()
    since = max(arguments.since or today - timedelta(days=DAYS), today - timedelta(days=MOST_DAYS - 1))
    inquiry = _Inquiry(api, arguments.email, min(since, today), today)
    if arguments.since is not None and arguments.since < inquiry.since:
        inquiry.miss(f"days before {inquiry.since}", "too_many")
    return await inquiry.run()


class _Inquiry:
    def __init__(self, api: ToolApi, email: str, since: date, until: date) -> None:
        self._api = api
        self._email = email
        self.since = since
        self._until = until
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._signs: list[DeliverySign] = []
        self._missed: list[NotLookedAt] = []

    def miss(self, what: str, code: str) -> None:
        """Note what was not looked at."""
        self._missed.append(NotLookedAt(what=what, code=code))

    async def run(self) -> DeliveryDiagnosis:
        """Look everywhere."""
        nobody = ContactByEmail(email=self._email, memberships=[])
        days = [self.since + timedelta(days=each) for each in range((self._until - self.since).days + 1)]
        found, failures, *by_day = await asyncio.gather(
            self._try("contacts", find_contact(self._api, self._email), nobody),
            self._try("delivery failures", self._failures(), []),
            *(self._try(f"campaigns of {day}", self._campaigns(day), []) for day in days),
        )
        sent = [each for day in by_day for each in day if each.status not in _NOT_SENT]
        lists = {each.list_id for each in found.memberships if each.list_id is not None}
        left = await self._left(_list_ids(sent))
        to_it = self._latest([each for each in sent if {one.id for one in each.lists} & (lists | left)], "campaigns")
        tracked = [each for each in to_it if each.tracking not in {None, "off"}]
        await asyncio.gather(
            *(self._look(f"opens of {each.id}", self._opens(each.id)) for each in tracked),
            *(self._look(f"clicks of {each.id}", self._clicks(each.id)) for each in tracked),
            self._look("statistics", self._name(failures, sent)),
            self._look("single messages", self._messages()),
        )
        return DeliveryDiagnosis(
            email=self._email,
            since=self.since,
            until=self._until,
            conclusion=self._conclusion(bool(to_it)),
            list_ids=sorted(lists),
            campaigns=[_seen(each) for each in to_it],
            signs=self._signs,
            not_looked_at=self._missed,
        )

    async def _try(self, what: str, asking: Awaitable[T], otherwise: T) -> T:
        async with self._slots:
            try:
                return await asking
            except Refused as refused:
                if refused.problem.code != "not_found":
                    self.miss(what, refused.problem.code)
                return otherwise

    async def _look(self, what: str, looking: Awaitable[None]) -> None:
        await self._try(what, looking, None)

    async def _campaigns(self, day: date) -> list[Campaign]:
        page = await self._api.read(Page[Campaign], "/v1/campaigns", date=day, page_size=500)
        if page.pagination.has_more:
            self.miss(f"campaigns of {day}", "too_many")
        return list(page.data)

    def _rows(self, path: str, **query: object) -> Awaitable[list[dict[str, Any]]]:
        return self._api.rows_of(self._email, path, most=_MOST_ROWS, **query)

    async def _failures(self) -> list[dict[str, Any]]:
        return await self._rows("/v1/delivery-failures", date=self.since, date_end=self._until)

    async def _left(self, list_ids: list[int]) -> set[int]:
        """Return which of the lists the address has left."""
        if len(list_ids) > _MOST_LISTS:
            self.miss("lists left", "too_many")
        left: set[int] = set()

        async def look(list_id: int) -> None:
            for row in await self._rows(f"/v1/lists/{list_id}/unsubscribes/export"):
                left.add(list_id)
                self._note("unsubscribed", list_id=list_id, at=row["unsubscribed_at"])

        await asyncio.gather(*(self._look(f"who left {each}", look(each)) for each in list_ids[:_MOST_LISTS]))
        return left

    async def _opens(self, campaign_id: int) -> None:
        for row in await self._rows(f"/v1/campaigns/{campaign_id}/tracking/opens"):
            self._note("opened", campaign_id=campaign_id, at=row["first_open_at"])

    async def _clicks(self, campaign_id: int) -> None:
        for row in await self._rows(f"/v1/campaigns/{campaign_id}/tracking/clicks"):
            self._note("clicked", campaign_id=campaign_id, at=row["first_click_at"], detail=row["url"])

    async def _name(self, failures: list[dict[str, Any]], sent: list[Campaign]) -> None:
        """Note the failures, each with its campaign."""
        ids: dict[int, int] = {}
        for campaign in self._latest(sent, "statistics") if failures else []:
            try:
                found = await self._api.read(CampaignStatistics, f"/v1/campaigns/{campaign.id}/statistics")
            except Refused:
                continue
            if found.statistics_id is not None:
                ids[found.statistics_id] = campaign.id
        for row in failures:
            detail = ": ".join(each for each in (row["reason"], row["reason_text"]) if each)
            self._note("failed", campaign_id=ids.get(row["statistics_id"]), detail=detail)

    async def _messages(self) -> None:
        """Note what the relay said of single messages, as far as the log of events knows them."""
        clock, tenant = self._api.services.platform_clock, self._api.caller.tenant.id
        began = datetime.combine(self.since, time.min, clock.zone).timestamp()
        try:
            events = await self._api.services.events.read(tenant, int(began * 1_000_000), _MESSAGE, _MOST_EVENTS)
        except GatewayError as error:
            self.miss("single messages", error.code)
            return
        if len(events) == _MOST_EVENTS:
            self.miss("single messages", "too_many")
        for event in events:
            message = SubmittedMessage.model_validate_json(event.data)
            refused = {each.email.lower(): each for each in message.rejected}.get(self._email.lower())
            at = datetime.fromtimestamp(event.occurred_at, clock.zone).isoformat()
            if refused is not None:
                self._note("message_rejected", at=at, detail=f"{refused.code} {refused.message}")
            elif self._email.lower() in map(str.lower, message.accepted):
                self._note("message_accepted", at=at, detail=message.message_id)

    def _note(
        self,
        kind: Kind,
        *,
        campaign_id: int | None = None,
        list_id: int | None = None,
        at: str | None = None,
        detail: str | None = None,
    ) -> None:
        when = datetime.fromisoformat(at) if at else None
        self._signs.append(DeliverySign(kind=kind, campaign_id=campaign_id, list_id=list_id, at=when, detail=detail))

    def _latest(self, campaigns: list[Campaign], what: str) -> list[Campaign]:
        if len(campaigns) > _MOST_CAMPAIGNS:
            self.miss(f"{what} before the latest {_MOST_CAMPAIGNS}", "too_many")
        return sorted(campaigns, key=lambda each: each.id, reverse=True)[:_MOST_CAMPAIGNS]

    def _conclusion(self, was_sent: bool) -> Verdict:
        kinds = {each.kind for each in self._signs}
        if kinds & {"failed", "message_rejected"}:
            return "failed"
        if kinds & {"opened", "clicked"}:
            return "arrived"
        if "unsubscribed" in kinds:
            return "unsubscribed"
        if self._missed:
            return "unknown"
        return "sent_without_sign" if was_sent or kinds else "not_sent"


def _list_ids(campaigns: Iterable[Campaign]) -> list[int]:
    return sorted({each for campaign in campaigns for each in _lists_of(campaign)})


def _lists_of(campaign: Campaign) -> Iterator[int]:
    return (each.id for each in campaign.lists if each.id is not None)


def _seen(campaign: Campaign) -> CampaignSeen:
    return CampaignSeen(
        campaign_id=campaign.id,
        status=campaign.status,
        started_at=campaign.started_at,
        tracked=campaign.tracking not in {None, "off"},
        list_ids=list(_lists_of(campaign)),
    )


DIAGNOSIS = (
    Tool(
        name="diagnose_delivery",
        title="Find out what became of mail to one address",
        description="Looks through lists, campaigns, delivery failures, opens, clicks, unsubscriptions and single"
        " messages of the last days for one e-mail address and says what became of mail to it. May take a minute."
        " Single messages are known from the time on at which `recent_events` was first asked. If `not_looked_at` is"
        " not empty, say so: that nothing was seen then proves nothing.",
        arguments=DiagnoseDelivery,
        result=DeliveryDiagnosis,
        routes=(
            "get_contact_by_email",
            "list_campaigns",
            "list_delivery_failures",
            "list_campaign_opens",
            "list_campaign_clicks",
            "export_unsubscribes",
            "get_campaign_statistics",
        ),
        run=_diagnose,
    ),
)
