"""The parts of a report, read side by side."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from app.api.deps import Call
from app.errors import GatewayError, NotFound
from app.gateway.failures import unusable
from app.policies.cache.model import Served
from app.resources.campaigns.expansion import same_batch
from app.resources.campaigns.operations import GET as CAMPAIGN
from app.resources.campaigns.schemas import Campaign
from app.resources.reports.operations import FAILURE_COUNTS, OPEN_COUNTS
from app.resources.reports.schemas import FailureCounts, OpenCounts
from app.resources.statistics.failures import FindFailures
from app.resources.statistics.operations import GET as STATISTICS
from app.resources.statistics.schemas import CampaignStatistics
from app.resources.tracking.operations import OVERVIEW as TRACKING
from app.resources.tracking.schemas import Tracking

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ReadPart(Generic[Model]):
    """A part, that there is none, or the error that reading it ended in."""

    value: Model | None = None
    read_at: datetime | None = None
    error: GatewayError | None = None


@dataclass(frozen=True, slots=True)
class ReportParts:
    """Everything that a report is made of."""

    campaign: ReadPart[Campaign]
    statistics: ReadPart[CampaignStatistics]
    tracking: ReadPart[Tracking]
    failures: ReadPart[FailureCounts]
    opens: ReadPart[OpenCounts]


async def read_parts(call: Call, campaign_id: int) -> ReportParts:
    """Read all parts; what cannot be read is left out. Raises `NotFound` if there is no such campaign."""
    reader = _Reader(call)
    campaign = await reader.read(call.fetch(CAMPAIGN, campaign_id), Campaign)
    if campaign.value is None and isinstance(campaign.error, NotFound):
        raise campaign.error
    async with asyncio.TaskGroup() as tasks:
        statistics = tasks.create_task(
            reader.read(call.fetch(STATISTICS, campaign_id, counted=True), CampaignStatistics)
        )
        tracking = tasks.create_task(reader.read(call.fetch(TRACKING, campaign_id, counted=True), Tracking))
        opens = tasks.create_task(reader.read(call.aggregate(OPEN_COUNTS, campaign_id), OpenCounts))
        failures = tasks.create_task(_failures(reader, campaign, statistics, tracking))
    of_campaign = _checked(statistics.result(), campaign.value)
    parts = ReportParts(campaign, of_campaign, tracking.result(), failures.result(), opens.result())
    if campaign.error and parts.statistics.error and parts.tracking.error:
        raise campaign.error
    return parts


def _checked(statistics: ReadPart[CampaignStatistics], campaign: Campaign | None) -> ReadPart[CampaignStatistics]:
    if campaign and statistics.value and not same_batch(campaign.batch, statistics.value.batch):
        return ReadPart(error=unusable(STATISTICS, "the statistics of another campaign"))
    return statistics


class _Reader:
    def __init__(self, call: Call) -> None:
        self.call = call
        self._zone = call.services.platform_clock.zone

    async def read(self, reading: Awaitable[Served], model: type[Model]) -> ReadPart[Model]:
        try:
            served = await reading
        except GatewayError as error:
            return ReadPart(error=error)
        read_at = datetime.fromtimestamp(int(served.entry.stored_at), self._zone)
        return ReadPart(model.model_validate_json(served.entry.body), read_at)


async def _failures(
    reader: _Reader,
    campaign: ReadPart[Campaign],
    statistics: Awaitable[ReadPart[CampaignStatistics]],
    tracking: Awaitable[ReadPart[Tracking]],
) -> ReadPart[FailureCounts]:
    batch = campaign.value.batch if campaign.value else None
    if batch is None:
        found = [(await tracking).value, (await statistics).value]
        batch = next((each.batch for each in found if each and each.batch), None)
    if batch is None:
        return ReadPart()
    return await reader.read(reader.call.aggregate(FAILURE_COUNTS, FindFailures(batch=batch)), FailureCounts)
