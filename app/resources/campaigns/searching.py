"""Searches for campaigns that take several calls: several statuses, several days, another order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Query

from app.api.deps import Call
from app.api.responses import PageRequestDep
from app.api.types import IsoDate
from app.errors import FieldError, ValidationFailed, parameters_refused
from app.gateway.pages import PageRequest, pagination
from app.policies.cache.model import Served
from app.resources.campaigns.operations import FIND, FindCampaigns
from app.resources.campaigns.schemas import Status
from app.resources.statistics.selection import days_between, wrong_days
from app.texts import sentence

Order = Literal["id", "-id", "scheduled_at", "-scheduled_at", "started_at", "-started_at", "sent_count", "-sent_count"]
_MOST_CAMPAIGNS = 5000
_AT_ONCE = 500
_STATUS = "(waiting|sending|sent|held|paused|cancelled)"


@dataclass(frozen=True, slots=True)
class CampaignSearch:
    """What is searched for, and which page of it."""

    pages: PageRequest
    statuses: Sequence[Status] = ()
    first_day: date | None = None
    last_day: date | None = None
    order: Order | None = None

    @property
    def query(self) -> FindCampaigns | None:
        """The platform's own search that does the same, if there is one."""
        if self.order or self.last_day or len(self.statuses) > 1:
            return None
        return FindCampaigns(self.pages, self.statuses[0] if self.statuses else None, self.first_day)

    def queries(self) -> list[FindCampaigns]:
        """Return the platform's searches that together find everything, each of its first page."""
        page = PageRequest(page_size=_AT_ONCE)
        if self.first_day and self.last_day:
            # Statuses are told apart here: a call for each day and status would be many.
            status = self.statuses[0] if len(self.statuses) == 1 else None
            return [FindCampaigns(page, status, day) for day in days_between(self.first_day, self.last_day)]
        return [FindCampaigns(page, status, self.first_day) for status in self.statuses or (None,)]


async def campaign_search(
    pages: PageRequestDep,
    status: Annotated[Status | None, Query(description="Only campaigns in this state.")] = None,
    several: Annotated[
        str | None,
        Query(
            alias="statuses",
            pattern=f"^{_STATUS}(,{_STATUS})*$",
            description="Only campaigns in one of these states.",
            examples=["sending,sent"],
        ),
    ] = None,
    first_day: Annotated[
        IsoDate | None,
        Query(alias="date", description="Only campaigns sent on this day of the platform's zone, or since."),
    ] = None,
    last_day: Annotated[
        IsoDate | None, Query(alias="date_end", description="The last day, included; at most 31 days.")
    ] = None,
    order: Annotated[
        Order | None,
        Query(alias="sort", description="The field to sort by, `-` for downwards; `-id` unless given."),
    ] = None,
) -> CampaignSearch:
    """Read the query parameters."""
    statuses: list[Any] = [status] if status else list(dict.fromkeys(several.split(","))) if several else []
    errors = wrong_days(first_day, last_day)
    if status and several:
        errors.append(FieldError("parameter", "statuses", "exclusive", "must not be given beside `status`"))
    if errors:
        raise ValidationFailed(parameters_refused(len(errors)), errors)
    return CampaignSearch(pages, statuses, first_day, last_day, order)


CampaignSearchDep = Annotated[CampaignSearch, Depends(campaign_search)]


async def found_page(call: Call, search: CampaignSearch) -> tuple[dict[str, Any], list[Served]]:
    """Return a page of campaigns as JSON, and the reads that it is made of."""
    if search.query is not None:
        served = await call.fetch(FIND, search.query)
        return orjson.loads(served.entry.body), [served]
    gathering = _Gathering(call)
    queries = search.queries()
    await gathering.all_of(queries)
    campaigns = [each for each in gathering.found.values() if not search.statuses or each["status"] in search.statuses]
    ordered = _ordered(campaigns, search.order or "-id")
    page, size = search.pages.page, search.pages.page_size
    stands = pagination(search.pages, total=len(ordered), received=0)
    return {"data": ordered[(page - 1) * size : page * size], "pagination": stands.model_dump()}, gathering.served


class _Gathering:
    def __init__(self, call: Call) -> None:
        self._call = call
        # Other requests of the tenant find a slot between these.
        self._slots = asyncio.Semaphore(call.caller.tenant.limits.concurrency)
        self.served: list[Served] = []
        self.found: dict[int, dict[str, Any]] = {}

    async def all_of(self, queries: Sequence[FindCampaigns]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for place, query in enumerate(queries):
                    # The request has been counted for its first call.
                    tasks.create_task(self._pages_of(query, counted=place > 0))
        except* Exception as failed:  # noqa: BLE001 - one of them is what the request fails with
            raise failed.exceptions[0] from None

    async def _pages_of(self, query: FindCampaigns, *, counted: bool) -> None:
        number, full = query.page.page, True
        while full:
            page = FindCampaigns(PageRequest(page=number, page_size=_AT_ONCE), query.status, query.day)
            async with self._slots:
                served = await self._call.fetch(FIND, page, counted=counted or number > 1)
            self.served.append(served)
            campaigns = orjson.loads(served.entry.body)["data"]
            self.found |= {campaign["id"]: campaign for campaign in campaigns}
            if len(self.found) > _MOST_CAMPAIGNS:
                message = sentence("more than {most} campaigns match; ask for fewer days", most=_MOST_CAMPAIGNS)
                raise ValidationFailed(parameters_refused(1), [FieldError("parameter", "date", "too_many", message)])
            number, full = number + 1, len(campaigns) == _AT_ONCE


def _ordered(campaigns: list[dict[str, Any]], order: Order) -> list[dict[str, Any]]:
    """Put campaigns in order, those that lack the field at the end and equal ones by their ids."""
    field, down = order.removeprefix("-"), order.startswith("-")
    known = [each for each in campaigns if each[field] is not None]
    known.sort(key=lambda each: (each[field], each["id"]), reverse=down)
    unknown = [each for each in campaigns if each[field] is None]
    unknown.sort(key=lambda each: each["id"], reverse=down)
    return known + unknown
