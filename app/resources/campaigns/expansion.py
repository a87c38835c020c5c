"""Campaigns with their statistics and tracking in one answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import Query
from starlette.responses import Response

from app.api.caching import composed
from app.api.deps import Call
from app.api.responses import CollectionUrl, link_header
from app.errors import FieldError, GatewayError, NotFound, UpstreamMalformed, ValidationFailed, parameters_refused
from app.gateway.operation import Operation
from app.gateway.pages import Pagination
from app.policies.cache.model import Served
from app.resources.campaigns.operations import GET
from app.resources.campaigns.schemas import Part
from app.resources.campaigns.searching import CampaignSearch, found_page
from app.resources.statistics.operations import GET as STATISTICS
from app.resources.tracking.operations import OVERVIEW as TRACKING
from app.texts import sentence

MOST_CAMPAIGNS = 50

_SOURCES: Mapping[Part, Operation[int, Any]] = {"statistics": STATISTICS, "tracking": TRACKING}
_NOT_STARTED = frozenset({"waiting", "held"})

Expand = Annotated[
    str | None,
    Query(
        pattern=r"^(statistics|tracking)(,(statistics|tracking))*$",
        description="Parts to answer with each campaign: `statistics`, `tracking`, or both. Each call of the platform "
        "that this takes counts as a request.",
        examples=["statistics,tracking"],
    ),
]


def parts_of(expand: str) -> list[Part]:
    """Return the parts that a query names, each once."""
    return [part for part in _SOURCES if part in expand.split(",")]


def check_page_size(page_size: int) -> None:
    """Check how many campaigns are to be expanded; raises `ValidationFailed` for too many."""
    if page_size > MOST_CAMPAIGNS:
        message = sentence("must be at most {most} with `expand`", most=MOST_CAMPAIGNS)
        raise ValidationFailed(parameters_refused(1), [FieldError("parameter", "page_size", "too_large", message)])


async def expanded_page(call: Call, search: CampaignSearch, parts: Sequence[Part]) -> Response:
    """Answer with a page of campaigns and their parts, read side by side; without parts, with the page alone."""
    page, served = await found_page(call, search)
    reading = _Expansion(call, served)
    if parts:
        await reading.expand(page["data"], parts)
        page["expansion_errors"] = reading.errors
    links = link_header(CollectionUrl.of(call.request), Pagination(**page["pagination"]))
    return reading.answer(page, ("Link", links))


async def expanded_campaign(call: Call, campaign_id: int, parts: Sequence[Part]) -> Response:
    """Answer with one campaign and its parts; raises `GatewayError` if the campaign itself cannot be read."""
    served = await call.fetch(GET, campaign_id)
    campaign = orjson.loads(served.entry.body)
    reading = _Expansion(call, [served])
    await reading.expand([campaign], parts)
    campaign["expansion_errors"] = reading.errors
    return reading.answer(campaign)


class _Expansion:
    def __init__(self, call: Call, served: list[Served]) -> None:
        self._call = call
        self._served = served
        # Other requests of the tenant find a slot between these.
        self._slots = asyncio.Semaphore(call.caller.tenant.limits.concurrency)
        self.errors: list[dict[str, Any]] = []

    async def expand(self, campaigns: Sequence[dict[str, Any]], parts: Sequence[Part]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for campaign in campaigns:
                campaign["expanded"] = dict.fromkeys(parts)
                if not _is_unsent(campaign):
                    for part in parts:
                        tasks.create_task(self._add(campaign, part))
        self.errors.sort(key=lambda error: (error["campaign_id"], error["part"]))

    async def _add(self, campaign: dict[str, Any], part: Part) -> None:
        try:
            async with self._slots:
                served = await self._call.fetch(_SOURCES[part], campaign["id"], counted=True)
        except NotFound:
            return
        except GatewayError as error:
            self.errors.append({"campaign_id": campaign["id"], "part": part, "code": error.code})
            return
        if part == "statistics" and not same_batch(campaign["batch"], orjson.loads(served.entry.body)["batch"]):
            self.errors.append({"campaign_id": campaign["id"], "part": part, "code": UpstreamMalformed.code})
            return
        self._served.append(served)
        campaign["expanded"][part] = orjson.Fragment(served.entry.body)

    def answer(self, content: dict[str, Any], *headers: tuple[str, str]) -> Response:
        return self._call.answer(composed(orjson.dumps(content), self._served, *headers, is_whole=not self.errors))


def same_batch(one: str | None, other: str | None) -> bool:
    """Tell whether two batch numbers may be one; statistics name their campaign by nothing else."""
    return one is None or other is None or one.lower() == other.lower()


def _is_unsent(campaign: Mapping[str, Any]) -> bool:
    return campaign["status"] in _NOT_STARTED and campaign["started_at"] is None and not campaign["sent_count"]
