"""The tool that finds out what became of mail to one address."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from typing_extensions import TypeAliasType

from app.agents.api import Refused, ToolApi
from app.agents.lookups import FoundContact, find_contact
from app.agents.tool import Tool
from app.api.contact_rows import HeldAddress
from app.api.types import IsoDate, PublicModel, RequestModel
from app.gateway.pages import Page
from app.resources.campaigns.schemas import Campaign
from app.resources.statistics.schemas import CampaignStatistics

T = TypeVar("T")

_DAYS = 7
_MOST_DAYS = 31
_MOST_CAMPAIGNS = 10
_MOST_LISTS = 20
_MOST_ROWS = 10
_AT_ONCE = 4
_NOT_SENT = frozenset({"held", "waiting", "cancelled"})

SignKind = TypeAliasType(
    "SignKind",
    Annotated[
        Literal["failed", "opened", "clicked", "unsubscribed"],
        Field(description="What was seen; `opened` and `clicked` prove that the mail arrived."),
    ],
)
Conclusion = TypeAliasType(
    "Conclusion",
    Annotated[
        Literal["arrived", "failed", "unsubscribed", "sent_without_sign", "not_sent", "unknown"],
        Field(
            description="`failed`: a delivery failed, whatever else was seen. `arrived`: opened or clicked."
            " `unsubscribed`: the address left a list that was sent to. `sent_without_sign`: a campaign went to a"
            " list that has the address, and nothing more is known; it may lie in a spam folder, or tracking was off."
            " `not_sent`: no campaign went to a list that has the address. `unknown`: not everything could be"
            " looked through."
        ),
    ],
)


class DiagnoseDelivery(RequestModel):
    """Whose mail, and since when."""

    email: Annotated[HeldAddress, Field(description="The whole e-mail address.")]
    since: Annotated[
        IsoDate | None,
        Field(description=f"The first day of sending, at most {_MOST_DAYS} days ago; by default {_DAYS} days ago."),
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


async def _diagnose(api: ToolApi, arguments: DiagnoseDelivery) -> DeliveryDiagnosis:
    today = api.services.platform_clock.now().date()
    since = max(arguments.since or today - timedelta(days=_DAYS), today - timedelta(days=_MOST_DAYS - 1))
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
        nobody = FoundContact(email=self._email, contacts=[], complete=True)
        days = [self.since + timedelta(days=each) for each in range((self._until - self.since).days + 1)]
        found, failures, *by_day = await asyncio.gather(
            self._try("contacts", find_contact(self._api, self._email), nobody),
            self._try("delivery failures", self._failures(), []),
            *(self._try(f"campaigns of {day}", self._campaigns(day), []) for day in days),
        )
        if not found.complete:
            self.miss("contacts", "too_many")
        sent = [each for day in by_day for each in day if each.status not in _NOT_SENT]
        lists = {each.list_id for each in found.contacts if each.list_id is not None}
        left = await self._left(_list_ids(sent))
        to_it = self._latest([each for each in sent if {one.id for one in each.lists} & (lists | left)], "campaigns")
        tracked = [each for each in to_it if each.tracking not in {None, "off"}]
        await asyncio.gather(
            *(self._look(f"opens of {each.id}", self._opens(each.id)) for each in tracked),
            *(self._look(f"clicks of {each.id}", self._clicks(each.id)) for each in tracked),
            self._look("statistics", self._name(failures, sent)),
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

    def _note(
        self,
        kind: Literal["failed", "opened", "clicked", "unsubscribed"],
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

    def _conclusion(
        self, was_sent: bool
    ) -> Literal["arrived", "failed", "unsubscribed", "sent_without_sign", "not_sent", "unknown"]:
        kinds = {each.kind for each in self._signs}
        if "failed" in kinds:
            return "failed"
        if kinds & {"opened", "clicked"}:
            return "arrived"
        if "unsubscribed" in kinds:
            return "unsubscribed"
        if self._missed:
            return "unknown"
        return "sent_without_sign" if was_sent else "not_sent"


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
        description="Looks through lists, campaigns, delivery failures, opens, clicks and unsubscriptions of the last"
        " days for one e-mail address and says what became of campaigns' mail to it. May take a minute. Knows nothing"
        " of single messages (`submit_message`). If `not_looked_at` is not empty, say so: absence of a sign then proves"
        " nothing.",
        arguments=DiagnoseDelivery,
        result=DeliveryDiagnosis,
        routes=(
            "list_contacts",
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
