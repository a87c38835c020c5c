"""Watchers: each tenant's account is looked at by one process at a time, within the tenant's budget of requests.

A look is one request. What it shows, the events that follow and the time of the next request are written in one
transaction, which fails if another process has taken the tenant over meanwhile: nothing is told twice or lost.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from app.errors import DatabaseError, GatewayError, UpstreamMalformed
from app.events.account import WatchedAccount
from app.events.campaigns import look_at_campaign, look_at_campaigns
from app.events.resources import (
    look_at_domain,
    look_at_domains,
    look_at_import,
    look_at_template,
    look_at_templates,
)
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.policies.cache.model import Cache
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.events import log as event_log
from app.storage.events import watching
from app.storage.events.watching import Findings, Item, Seen, WatchLost
from app.storage.writes.leases import ProcessLease
from app.telemetry.metrics import Metrics
from app.tenants.models import Tenant
from app.tenants.store import TenantStore

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_ITEMS = 100
_WANTED_SECONDS = 120.0
_RENEW_EVERY = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_DAYS_AT_REST = 40
_FORGOTTEN_AT_ONCE = 500
_SWEEP_EVERY = 600.0

_TAGS: Mapping[str, Sequence[str]] = {
    "campaign": ("campaigns", "statistics", "tracking", "quota"),
    "template": ("templates",),
    "import": ("imports", "contacts", "lists"),
    "domain": ("domains",),
}
"""What is to be read anew once an event about a resource is out."""


LISTINGS = {"campaigns": look_at_campaigns, "templates": look_at_templates, "domains": look_at_domains}
RESOURCES = {"campaign": look_at_campaign, "template": look_at_template, "import": look_at_import}


class Watchers:
    """Looks after all tenants whose events are wanted, beside others who do the same.

    Args:
        database: where events, what is watched and leases are.
        tenants: whose accounts there are.
        gateway: asks the platform.
        cache: told what has changed.
        clock: the platforms'.
        metrics: counts.
        events_days: days for which events are kept.
        poll: seconds between two questions of what is due.
        lease: seconds after which what a dead process watched is free.
    """

    def __init__(
        self,
        database: Database,
        tenants: TenantStore,
        gateway: Gateway,
        cache: Cache,
        clock: PlatformClock,
        metrics: Metrics,
        *,
        events_days: int,
        poll: float = 0.5,
        lease: float = 5.0,
    ) -> None:
        self._database = database
        self._tenants = tenants
        self._gateway = gateway
        self._cache = cache
        self._clock = clock
        self._metrics = metrics
        self._days = events_days
        self._poll = poll
        self._process = ProcessLease(database, seconds=lease)
        self._watched: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while the context is open; the database must be."""
        tasks = [
            asyncio.create_task(forever(work, every, name))
            for work, every, name in (
                (self._renew, _RENEW_EVERY, "say whose events are wanted"),
                (self._start_due, self._poll, "start watchers"),
                (self._forget, _SWEEP_EVERY, "forget old events"),
            )
        ]
        try:
            async with self._process.kept():
                yield
        finally:
            tasks += self._watched.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._process.stop()

    async def _renew(self) -> None:
        """Say again whose events are wanted, by their own settings or by webhooks."""
        for tenant, rate in (await self._tenants.with_events()).items():
            await self._database.write(
                partial(watching.wanting, tenant, seconds=_WANTED_SECONDS, requests_per_minute=rate)
            )
        await self._database.write(partial(watching.wanted_by_webhooks, _WANTED_SECONDS))

    async def _forget(self) -> None:
        for some in (
            partial(event_log.forgetting, self._days, _FORGOTTEN_AT_ONCE),
            partial(watching.forgetting, _DAYS_AT_REST, _FORGOTTEN_AT_ONCE),
        ):
            while await self._database.write(some) == _FORGOTTEN_AT_ONCE:  # noqa: ASYNC110 - others are let in between
                await asyncio.sleep(0.05)

    async def _start_due(self) -> None:
        for tenant in await self._database.read(partial(watching.due, _AT_ONCE)):
            if tenant not in self._watched and len(self._watched) < _AT_ONCE:
                self._watched[tenant] = asyncio.create_task(self._watch(tenant))

    async def _watch(self, tenant_id: str) -> None:
        """Look at a tenant's account until nothing is due."""
        try:
            failures = await self._claimed(tenant_id)
            while failures is not None:
                failures = await self._look(tenant_id, failures)
        except WatchLost:
            log.info("watch_lost", tenant=tenant_id)
        except (DatabaseError, GatewayError) as error:
            log.warning("watch_failed", tenant=tenant_id, reason=str(error))
        except Exception:
            log.exception("watch_failed", tenant=tenant_id)
        finally:
            self._watched.pop(tenant_id, None)
            with suppress(DatabaseError):
                await self._database.write(partial(watching.letting_go, tenant_id, self._process.holder))

    async def _claimed(self, tenant_id: str) -> int | None:
        asked, beat = time.monotonic(), self._process.due()
        failures = await self._database.write(lambda: _claim(beat, tenant_id, self._process.holder))
        if beat is not None:
            self._process.renewed(asked)
        return failures

    async def _look(self, tenant_id: str, failures: int) -> int | None:
        """Send one request and write what it shows; return the failures in a row if this process goes on."""
        tenant = await self._tenants.find(tenant_id)
        items = await self._database.read(partial(watching.due_items, tenant_id, _ITEMS))
        if tenant is None or not tenant.enabled or not items or not self._process.alive:
            return None
        spacing = 60.0 / tenant.events.requests_per_minute
        findings, error = await self._asked(items, WatchedAccount(tenant, self._gateway, self._clock))
        failures = 0 if error is None else failures + 1
        pause = spacing
        if error is not None:
            pause = max(spacing, min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE))
        await self._freshen(tenant, findings)
        going = await self._database.write(
            partial(
                watching.noting,
                tenant_id,
                self._process.holder,
                findings,
                spacing=spacing,
                pause=pause,
                failures=failures,
                keep=error is None,
            )
        )
        for event in findings.events:
            self._metrics.event_told(event.type)
        if not going:
            return None
        await asyncio.sleep(pause)
        return failures

    async def _asked(self, items: Sequence[Item], account: WatchedAccount) -> tuple[Findings, GatewayError | None]:
        first = items[0]
        try:
            return await self._looked(items, account), None
        except UpstreamMalformed as error:
            # The others may be as they should be.
            log.warning("watched_reply_unusable", tenant=account.tenant.id, kind=first.kind, reason=error.detail)
            due_in = min(60.0 * 2.0 ** min(first.looks, 10), 3600.0)
            return Findings([Seen(first, first.state, due_in, first.looks + 1)]), None
        except GatewayError as error:
            return Findings(), error

    async def _looked(self, items: Sequence[Item], account: WatchedAccount) -> Findings:
        item, tenant = items[0], account.tenant.id

        async def known(kind: str, names: Sequence[str]) -> Mapping[str, Item]:
            return await self._database.read(partial(watching.known_items, tenant, kind, names))

        if item.kind in LISTINGS:
            return await LISTINGS[item.kind](item, account, known)
        if item.kind in RESOURCES:
            return await RESOURCES[item.kind](item, account)
        return await look_at_domain([each for each in items if each.kind == item.kind], account)

    async def _freshen(self, tenant: Tenant, findings: Findings) -> None:
        """Have callers who hear of an event read what it says."""
        kinds = {event.resource.partition("/")[0] for event in findings.events}
        for tag in sorted({tag for kind in kinds for tag in _TAGS[kind]}):
            await self._cache.purge(tenant.id, tag)


async def forever(work: Callable[[], Awaitable[None]], every: float, name: str) -> None:
    """Do something again and again, whatever becomes of it."""
    while True:
        try:
            await work()
        except (DatabaseError, GatewayError) as error:
            log.warning("background_work_failed", work=name, reason=str(error))
        except Exception:
            log.exception("background_work_failed", work=name)
        await asyncio.sleep(every)


def _claim(beat: Statement | None, tenant: str, holder: str) -> Steps[int | None]:
    yield [beat]
    return (yield from watching.claiming(tenant, holder))
