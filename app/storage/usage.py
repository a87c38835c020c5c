"""How much each key has asked for, by day, and what it has sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple

import structlog

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.writes.attempts import time_of
from app.tasks import beside

log = structlog.get_logger(__name__)

OTHERS = "(others)"
"""Stands for keys of which there are too many at once, such as those of tokens."""
NOTES = (
    "Credits: the platform bills accounts, by day, and not keys: GET /v1/statistics/credits tells them.",
    "Requests of the last 15 seconds may be missing, and those of a process that was killed are lost.",
    "Months before JOURNAL_DAYS are forgotten.",
)
"""What usage does not tell."""
_FAILED = 400
_MOST = 5000
_STEP = 500
_COUNT = (
    "INSERT INTO key_usage (tenant, key_id, day, requests, failed) VALUES (:tenant, :key_id, :day, :requests, :failed)"
    " ON CONFLICT (tenant, key_id, day) DO UPDATE SET requests = key_usage.requests + excluded.requests,"
    " failed = key_usage.failed + excluded.failed RETURNING day"
)


class UsageKey(NamedTuple):
    """Whose requests are counted, and when."""

    tenant: str
    key_id: str
    day: str


@dataclass(slots=True)
class UsageTotals:
    """What a key has asked for and sent; `key_id` is None for sends that were journaled without one."""

    key_id: str | None
    requests: int = 0
    failed: int = 0
    campaigns: int = 0
    messages: int = 0
    refused: int = 0
    unknown: int = 0


class UsageCounter:
    """Counts requests in the process, and adds them to the database from time to time.

    What was counted since the last time is lost with the process.
    """

    def __init__(
        self, database: Database, *, kept: timedelta, now: Callable[[], datetime], interval: float = 15.0
    ) -> None:
        self._database = database
        self._kept = kept
        self._now = now
        self._interval = interval
        self._counts: dict[UsageKey, list[int]] = {}

    def note(self, tenant: str, key_id: str, status: int) -> None:
        """Count a request."""
        key = UsageKey(tenant, key_id, self._now().astimezone(UTC).date().isoformat())
        if key not in self._counts and len(self._counts) >= _MOST:
            key = key._replace(key_id=OTHERS)
        counts = self._counts.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += status >= _FAILED

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write down what is counted while the context is open."""
        async with beside(self._write()):
            yield
        await self.flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted since the last time; what cannot be written is counted on."""
        counts, self._counts = self._counts, {}
        # In one order for everybody, or two replicas could wait for each other.
        rows = sorted(counts.items())
        while rows:
            some, rows = rows[:_STEP], rows[_STEP:]
            try:
                await self._database.write(partial(self._adding, some))
            except DatabaseError as error:
                log.warning("usage_not_written", keys=len(some) + len(rows), reason=str(error))
                for key, (requests, failed) in [*some, *rows]:
                    counted = self._counts.setdefault(key, [0, 0])
                    counted[0] += requests
                    counted[1] += failed
                return

    def _adding(self, rows: list[tuple[UsageKey, list[int]]]) -> Steps[None]:
        oldest = (self._now().astimezone(UTC) - self._kept).date().isoformat()
        added = [
            Statement(_COUNT, {**key._asdict(), "requests": requests, "failed": failed})
            for key, (requests, failed) in rows
        ]
        yield [*added, Statement("DELETE FROM key_usage WHERE day < :oldest RETURNING day", {"oldest": oldest})]


_LAST = (
    "SELECT tenant, key_id, operation, state, reference, detail, created_at FROM sends ORDER BY number DESC LIMIT :most"
)
_LAST_OF_TENANT = _LAST.replace("ORDER", "WHERE tenant = :tenant ORDER")


class SendRow(NamedTuple):
    """One line of the journal, for operators."""

    tenant: str
    key_id: str | None
    operation: str
    state: str
    reference: str | None
    detail: str | None
    created_at: datetime


def last_sends(tenant: str | None, most: int) -> Steps[list[SendRow]]:
    """Return the latest sends, of one tenant or of all."""
    sql = _LAST if tenant is None else _LAST_OF_TENANT
    (rows,) = yield [Statement(sql, {"tenant": tenant, "most": most})]
    return [SendRow._make((*row[:-1], time_of(row[-1]))) for row in rows]


def last_success() -> Steps[dict[str, datetime]]:
    """Return when each tenant's latest confirmed send was made."""
    (rows,) = yield [Statement("SELECT tenant, max(created_at) FROM sends WHERE state = 'confirmed' GROUP BY tenant")]
    return {tenant: time_of(moment) for tenant, moment in rows}


def month_of(text: str) -> date:
    """Return the first day of a month such as `2026-11`; raises `ValueError` where it is none."""
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()


def usage_of(tenant: str, month: date) -> Steps[list[UsageTotals]]:
    """Return a tenant's usage in the month that begins with a day, by key, the busiest first."""
    until = (month + timedelta(days=31)).replace(day=1)
    counted = (
        "SELECT key_id, sum(requests), sum(failed) FROM key_usage WHERE tenant = :tenant AND day >= :since"
        " AND day < :until GROUP BY key_id"
    )
    sent = (
        "SELECT key_id, operation, state, count(*) FROM sends WHERE tenant = :tenant AND created_at >= :since"
        " AND created_at < :until AND operation IN ('campaigns.create', 'messages.submit')"
        " GROUP BY key_id, operation, state"
    )
    days = {"tenant": tenant, "since": month.isoformat(), "until": until.isoformat()}
    moments = {"tenant": tenant, "since": _midnight(month), "until": _midnight(until)}
    requests, sends = yield [Statement(counted, days), Statement(sent, moments)]
    usage: dict[str | None, UsageTotals] = {}
    for key_id, total, failed in requests:
        usage[key_id] = UsageTotals(key_id, requests=int(total), failed=int(failed))
    for key_id, operation, state, count in sends:
        _add(usage.setdefault(key_id, UsageTotals(key_id)), operation, state, int(count))
    return sorted(usage.values(), key=lambda each: (-each.requests, each.key_id or ""))


def _add(usage: UsageTotals, operation: str, state: str, count: int) -> None:
    if state == "refused":
        usage.refused += count
    elif state != "confirmed":
        usage.unknown += count
    elif operation == "campaigns.create":
        usage.campaigns += count
    else:
        usage.messages += count


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
