"""Delivering events to webhooks: at least once, in order for each resource, whoever else is slow."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

import structlog

from app import __version__
from app.errors import DatabaseError
from app.events.changes import change, plain
from app.events.sender import Delivered, WebhookSender
from app.events.watchers import forever
from app.policies.retry import parse_retry_after
from app.resources.events.webhook_schemas import webhook_of
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.events import deliveries, webhooks
from app.storage.events.deliveries import Attempted, Claimed, Place
from app.storage.events.log import NewEvent
from app.storage.events.signatures import open_secrets, signed
from app.storage.events.webhooks import WebhookRecord
from app.storage.writes.leases import ProcessLease
from app.telemetry.metrics import Metrics
from app.tenants.vault import Vault

log = structlog.get_logger(__name__)

_WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0)
_GIVEN_UP_AFTER = 3 * 86_400.0
_LONGEST_PAUSE = 60.0
_LONGEST_ASKED_FOR = 86_400.0
_FAST, _SLOW = 256, 64
"""Deliveries at the same time, to webhooks that work and to those that fail: these never take the others' places."""
_LOOKED_AT = 500
_REWRAP_EVERY = 30.0
_REWRAPPED_AT_ONCE = 100


class Deliverer:
    """Attempts what is due, beside others who do the same.

    Args:
        database: where webhooks and deliveries are.
        sender: posts.
        vault: opens the webhooks' secrets.
        zone: of the times in events.
        metrics: counts.
        poll: seconds between two questions of what is due.
        lease: seconds after which what a dead process was about to deliver is free.
        now: the time in seconds.
    """

    def __init__(
        self,
        database: Database,
        sender: WebhookSender,
        vault: Vault,
        zone: tzinfo,
        metrics: Metrics,
        *,
        poll: float = 0.5,
        lease: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._sender = sender
        self._vault = vault
        self._zone = zone
        self._metrics = metrics
        self._poll = poll
        self._now = now
        self._process = ProcessLease(database, seconds=lease)
        self._under_way: dict[Place, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the context is open; the database must be."""
        tasks = [
            asyncio.create_task(forever(self._start_due, self._poll, "start deliveries")),
            asyncio.create_task(forever(self._rewrap, _REWRAP_EVERY, "encrypt webhooks' secrets anew")),
        ]
        try:
            async with self._process.kept():
                yield
        finally:
            for task in (*tasks, *self._under_way.values()):
                task.cancel()
            await asyncio.gather(*tasks, *self._under_way.values(), return_exceptions=True)
            with suppress(DatabaseError):
                await self._database.write(partial(deliveries.letting_go, self._process.holder))
            await self._process.stop()
            await self._sender.aclose()

    async def _start_due(self) -> None:
        places = self._with_room(await self._database.read(partial(deliveries.due, _LOOKED_AT)))
        if not places:
            return
        asked, beat = time.monotonic(), self._process.due()
        claimed = await self._database.write(lambda: _claim(beat, places, self._process.holder))
        if beat is not None:
            self._process.renewed(asked)
        for each in claimed:
            self._under_way[each.place] = asyncio.create_task(self._deliver(each))

    def _with_room(self, places: list[Place]) -> list[Place]:
        """Choose what may be attempted now, some for each webhook before more for any."""
        slow = sum(place.failing for place in self._under_way)
        room = {True: _SLOW - slow, False: _FAST - (len(self._under_way) - slow)}
        chosen = []
        for place in places:
            if room[place.failing] > 0:
                room[place.failing] -= 1
                chosen.append(place)
        return chosen

    async def _deliver(self, claimed: Claimed) -> None:
        place = claimed.place
        try:
            receipt = await self._posted(claimed)
            outcome = self._outcome(claimed, receipt)
            disabled = await self._database.write(partial(deliveries.ending, place, self._process.holder, outcome))
            self._metrics.delivered(_label(outcome, receipt), self._now() - claimed.event.occurred_at)
            if disabled:
                log.warning("webhook_disabled", tenant=place.tenant, webhook=place.webhook, reason=outcome.reason)
        except DatabaseError as error:
            # It is attempted again: at least once.
            log.warning("delivery_not_noted", tenant=place.tenant, webhook=place.webhook, reason=str(error))
        except Exception:
            log.exception("delivery_failed", tenant=place.tenant, webhook=place.webhook)
        finally:
            self._under_way.pop(place, None)

    async def _posted(self, claimed: Claimed) -> Delivered:
        place, event = claimed.place, claimed.event
        try:
            keys = open_secrets(self._vault, place.tenant, place.webhook, claimed.secrets)
        except DatabaseError as error:
            log.error("webhook_secret_unreadable", tenant=place.tenant, webhook=place.webhook, reason=str(error))
            return Delivered(None, 0.0, "the webhook's secret cannot be read")
        body = event.json(self._zone)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"umail-gateway/{__version__}",
            **signed(event.id, int(self._now()), body, keys),
        }
        return await self._sender.post(claimed.url, headers, body)

    def _outcome(self, claimed: Claimed, receipt: Delivered) -> Attempted:
        now = self._now()
        moment = datetime.fromtimestamp(now, self._zone).isoformat(timespec="milliseconds")
        told = {"at": moment, "status": receipt.status, "seconds": round(receipt.seconds, 3), "error": receipt.error}
        attempts = [*claimed.attempts, told]
        if receipt.status is not None and 200 <= receipt.status < 300:
            return Attempted("delivered", attempts)
        age = now - datetime.fromisoformat(attempts[0]["at"]).timestamp()
        pause = min(2.0 ** min(claimed.tries, 6), _LONGEST_PAUSE)
        if receipt.status == 410:
            return self._given_up(attempts, pause, 0.0, "its receiver is gone (410)")
        if age >= _GIVEN_UP_AFTER:
            return self._given_up(attempts, pause, age - 1, "it has failed for three days")
        wait = _WAITS[min(claimed.tries, len(_WAITS) - 1)] * random.uniform(1.0, 1.25)  # noqa: S311 - spreads retries
        asked = parse_retry_after(receipt.retry_after, datetime.fromtimestamp(now, UTC)) or 0.0
        due_in = max(min(wait, max(_GIVEN_UP_AFTER - age, 1.0)), min(asked, _LONGEST_ASKED_FOR))
        return Attempted("pending", attempts, due_in=due_in, pause=pause)

    def _given_up(self, attempts: list[dict[str, Any]], pause: float, failing_for: float, reason: str) -> Attempted:
        return Attempted("failed", attempts, pause=pause, failing_for=failing_for, reason=reason, notice=self._notice)

    def _notice(self, webhook: WebhookRecord) -> NewEvent:
        after = plain(webhook_of(webhook, self._zone))
        before = {**after, "enabled": True, "disabled_reason": None}
        return change("webhook.disabled", f"webhook/{webhook.id}", before, after)

    async def _rewrap(self) -> None:
        """Have the current master key encrypt what an earlier one does."""
        some = partial(webhooks.under_other_keys, self._vault.current, _REWRAPPED_AT_ONCE)
        for tenant, webhook, wrapped in await self._database.read(some):
            after = self._vault.rewrap(tenant, wrapped)
            await self._database.write(partial(webhooks.rewrapping, tenant, webhook, wrapped, after))


def _label(outcome: Attempted, receipt: Delivered) -> str:
    if outcome.status == "delivered":
        return "delivered"
    return "no_answer" if receipt.status is None else f"{receipt.status // 100}xx"


def _claim(beat: Statement | None, places: list[Place], holder: str) -> Steps[list[Claimed]]:
    yield [beat]
    return (yield from deliveries.claiming(places, holder))
