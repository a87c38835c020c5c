"""The statistics of all campaigns of one day or several, with the ids that the platform tells elsewhere."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
from starlette.responses import Response

from app.api.caching import composed
from app.api.deps import Call
from app.errors import GatewayError
from app.policies.cache.model import Served
from app.resources.campaigns.operations import LIST_SENDS, FindSends
from app.resources.statistics.operations import LIST


async def campaigns_of(call: Call, days: Sequence[date]) -> Response:
    """Answer with the days' statistics in their order; an id that cannot be read is null."""
    reading = _DaysReading(call)
    try:
        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(reading.day(day, counted=place > 0)) for place, day in enumerate(days)]
    except* GatewayError as failed:
        raise failed.exceptions[0] from None
    statistics = [each for task in found for each in task.result()]
    content = orjson.dumps({"data": statistics})
    return call.answer(composed(content, reading.served, is_whole=reading.is_whole))


class _DaysReading:
    def __init__(self, call: Call) -> None:
        self._call = call
        # Other requests of the tenant find a slot between these.
        self._slots = asyncio.Semaphore(call.caller.tenant.limits.concurrency)
        self.served: list[Served] = []
        self.is_whole = True

    async def day(self, day: date, *, counted: bool) -> list[dict[str, Any]]:
        async with self._slots:
            served = await self._call.fetch(LIST, day, counted=counted)
            self.served.append(served)
            statistics: list[dict[str, Any]] = orjson.loads(served.entry.body)["data"]
            ids = await self._ids(day) if statistics else {}
        for each in statistics:
            each["campaign_id"] = ids.get((each["batch"] or "").lower())
        return statistics

    async def _ids(self, day: date) -> dict[str, int]:
        try:
            served = await self._call.fetch(LIST_SENDS, FindSends(day=day), counted=True)
        except GatewayError:
            self.is_whole = False
            return {}
        self.served.append(served)
        sends = orjson.loads(served.entry.body)["data"]
        return {send["batch"].lower(): send["id"] for send in sends if send["batch"]}
