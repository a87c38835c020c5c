"""What a tenant's keys have asked for and sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from app.storage.database.database import Database
from app.storage.usage import OTHERS, UsageCounter, month_of, usage_of
from tests.admin.conftest import make_key
from tests.support.problems import problem

USAGE = "/admin/v1/tenants/acme/usage"
NOVEMBER = month_of("2026-11")


async def test_requests_and_sends_are_counted_by_key(admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
    assert (await admin.post("/admin/v1/tenants", json=acme)).status_code == 201
    keys = {
        name: {"Authorization": f"Bearer {await make_key(admin, id=name, scopes=[name])}"} for name in ("read", "send")
    }
    campaign = {
        "template_ids": [1],
        "list_id": 1,
        "sender": {"type": "any"},
        "from_name": "News",
        "schedule": {"mode": "now"},
    }
    assert (await admin.get("/v1/account", headers=keys["read"])).status_code == 200
    problem(await admin.post("/v1/campaigns", headers=keys["read"], json=campaign), 403, "insufficient_scope")
    refused = await admin.post("/v1/campaigns", headers=keys["send"], json=campaign)
    assert refused.status_code >= 400
    answer = (await admin.get(USAGE)).json()
    assert answer["month"] == f"{datetime.now(UTC):%Y-%m}"
    assert answer["credits"] is None
    assert answer["notes"]
    found = {each["key_id"]: each for each in answer["keys"]}
    assert (found["read"]["requests"], found["read"]["failed"]) == (2, 1)
    assert (found["send"]["requests"], found["send"]["failed"]) == (1, 1)
    assert sum(found["send"][each] for each in ("campaigns", "refused", "unknown")) == 1


async def test_months_are_told_apart_and_old_ones_forgotten(database_url: str) -> None:
    moment = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    database = Database(database_url)
    counter = UsageCounter(database, kept=timedelta(days=90), now=lambda: moment)
    async with database.running():
        async with counter.running():
            counter.note("acme", "web", 200)
            counter.note("rival", "web", 200)
        # Shutting down has written it down; what is counted then is added.
        moment += timedelta(seconds=1)
        counter.note("acme", "web", 500)
        await counter.flush()
        for month, requests, failed in (("2026-11", 1, 0), ("2026-12", 1, 1)):
            begins = month_of(month)
            (totals,) = await database.read(lambda begins=begins: usage_of("acme", begins))  # type: ignore[misc]
            assert (totals.key_id, totals.requests, totals.failed) == ("web", requests, failed)
        moment += timedelta(days=92)
        counter.note("acme", "web", 200)
        await counter.flush()
        assert await database.read(lambda: usage_of("acme", NOVEMBER)) == []


async def test_too_many_keys_at_once_are_counted_together(database_url: str) -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    database = Database(database_url)
    counter = UsageCounter(database, kept=timedelta(days=90), now=lambda: moment)
    for number in range(5100):
        counter.note("acme", f"jwt-{number}", 200)
    # The database cannot be used yet: nothing of it is lost.
    await counter.flush()
    async with database.running():
        await counter.flush()
        totals = await database.read(lambda: usage_of("acme", NOVEMBER))
    assert sum(each.requests for each in totals) == 5100
    assert (totals[0].key_id, totals[0].requests) == (OTHERS, 100)
