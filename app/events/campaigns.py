"""Watching campaigns: one by one from their creation, and by each day's listing."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from app.errors import NotFound
from app.events.account import WatchedAccount
from app.events.changes import Resource, change, longer, plain
from app.gateway.pages import PageRequest
from app.resources.campaigns.operations import FIND, GET, FindCampaigns
from app.resources.campaigns.schemas import Campaign
from app.storage.events.log import NewEvent
from app.storage.events.watching import Findings, Item, Seen
from app.upstream.listed import Listed

Known = Callable[[str, Sequence[str]], Awaitable[Mapping[str, Item]]]

_PAGE = 500
_LONGEST_AGO = timedelta(days=7)
_PROGRESS_APART = 60.0
_OVER = frozenset({"sent", "cancelled"})
_STOPPED = frozenset({"held", "paused"})


async def look_at_campaign(item: Item, account: WatchedAccount) -> Findings:
    """Read one campaign; one that is not there any more is left alone."""
    try:
        campaign = await account.ask(GET, int(item.id))
    except NotFound:
        # A new one may take a moment to show.
        due_in = longer(item.looks, 2.0, 30.0) if item.state is None and item.looks < 5 else None
        return Findings([Seen(item, item.state, due_in, item.looks + 1)])
    seen, events = look(item, campaign, account.now())
    return Findings([seen], events)


async def look_at_campaigns(item: Item, account: WatchedAccount, known: Known) -> Findings:
    """Read a page of a day's campaigns: today's again and again, those of the days before until they are read.

    What is there at first is noted and not told of. A listing that is not whole moves nothing.
    """
    now = account.now()
    today = now.date()
    state = item.state or {"day": today.isoformat(), "page": 1, "quiet": True}
    day = max(date.fromisoformat(state["day"]), today - _LONGEST_AGO)
    page = await account.ask(FIND, FindCampaigns(PageRequest(page=state["page"], page_size=_PAGE), day=day))
    if not isinstance(page.data, Listed) or not page.data.is_whole:
        return Findings([Seen(item, state, longer(item.looks, 15.0, 300.0), item.looks + 1)])
    campaigns = {str(each.id): each for each in page.data if _is_of(each, day)}
    items = await known("campaign", list(campaigns))
    seen: list[Seen] = []
    events: list[NewEvent] = []
    soonest = 180.0
    for name, campaign in campaigns.items():
        known_item = items.get(name)
        one, told = look(known_item or Item("campaign", name), campaign, now, quiet=state["quiet"] and not known_item)
        events += told
        if one.due_in is not None:
            soonest = min(soonest, one.due_in)
            # The listing comes first, unless it fails.
            one = Seen(one.item, one.state, one.due_in * 2 + 5, one.looks)
        if told or one.due_in is not None or known_item is None or known_item.state != one.state:
            seen.append(one)
    return Findings([*seen, _next(item, state, day, today, more=page.pagination.has_more, soonest=soonest)], events)


def _is_of(campaign: Campaign, day: date) -> bool:
    return any(time is not None and time.date() == day for time in (campaign.started_at, campaign.scheduled_at))


def _next(item: Item, state: Mapping[str, Any], day: date, today: date, *, more: bool, soonest: float) -> Seen:
    if more:
        return Seen(item, {**state, "day": day.isoformat(), "page": state["page"] + 1}, 0.0, item.looks)
    if day < today:
        return Seen(item, {"day": (day + timedelta(days=1)).isoformat(), "page": 1, "quiet": False}, 0.0, 0)
    due_in = min(soonest, longer(item.looks, 20.0, 180.0))
    return Seen(item, {"day": today.isoformat(), "page": 1, "quiet": False}, due_in, item.looks + 1)


def look(item: Item, campaign: Campaign, now: datetime, *, quiet: bool = False) -> tuple[Seen, list[NewEvent]]:
    """Compare a campaign with how it was; return how it is to be remembered, and what is to be told."""
    after = plain(campaign)
    state = item.state or {}
    before: Resource | None = state.get("seen")
    if campaign.status in {None, "unknown"}:
        return Seen(item, item.state, longer(item.looks, 30.0, 600.0), item.looks + 1), []
    moment = now.timestamp()
    types = [] if quiet else told(before, after, since=moment - state.get("told_at", 0.0))
    told_at = moment if types else state.get("told_at", 0.0)
    looks = 0 if before is None or before != after else item.looks + 1
    events = [change(type_, f"campaign/{campaign.id}", before, after) for type_ in types]
    return Seen(item, {"seen": after, "told_at": told_at}, pace(campaign, now, looks), looks), events


def told(before: Resource | None, after: Resource, *, since: float = 0.0) -> list[str]:
    """Return the types of events between two states of a campaign, `since` seconds after the last one."""
    status, earlier = after["status"], before["status"] if before else None
    types = [] if before else ["campaign.created"]
    if status == earlier:
        moved = before is not None and before["sent_count"] != after["sent_count"]
        return ["campaign.progressed"] if status == "sending" and moved and since >= _PROGRESS_APART else []
    resumed = bool(before and before["started_at"] and before["started_at"] == after["started_at"])
    if status in {"sending", "sent"} and earlier != "sending" and not resumed:
        types.append("campaign.started")
    if status == "sent":
        types.append("campaign.finished")
    elif status == "cancelled":
        types.append("campaign.cancelled")
    elif status in _STOPPED and before and earlier not in _STOPPED:
        types.append("campaign.held")
    return types


def pace(campaign: Campaign, now: datetime, looks: int) -> float | None:
    """Return after how many seconds a campaign is worth another look: the sooner, the more it moves."""
    if campaign.status in _OVER:
        return None
    if campaign.status == "sending":
        return longer(looks, 3.0, 15.0)
    if campaign.status == "waiting":
        left = (campaign.scheduled_at - now).total_seconds() if campaign.scheduled_at else 0.0
        return longer(looks, 3.0, 30.0) if left < 60 else min(left - 30, 300.0)
    return longer(looks, 3.0, 600.0)
