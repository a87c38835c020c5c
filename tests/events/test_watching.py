"""Watchers in front of the sandbox: every event once, in order, whoever dies meanwhile, within the budget."""

import asyncio
import json
import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx2
import pytest

from app.sandbox import Account, Fault, Sandbox
from app.sandbox.models import Campaign, Sender
from app.sandbox.state import AccountState
from app.sandbox.times import Pace
from app.storage.database.database import Database
from app.tenants.models import Tenant
from tests.support.events import FAST, WatcherProcess, hurrying, seen_states, told, want
from tests.support.running import make_app
from tests.support.sockets import until
from tests.support.tenants import make_tenant

WAITING, SENDING, SENT, HELD, PAUSED, CANCELLED = 1, 2, 3, -1, -2, -3
WORDS = {1: "waiting", 2: "sending", 3: "sent", -1: "held", -2: "paused", -3: "cancelled"}
ROADS = [
    [WAITING, SENDING, SENT],
    [HELD, WAITING, SENDING, SENT],
    [WAITING, HELD, CANCELLED],
    [WAITING, SENDING, PAUSED, SENDING, SENT],
    [WAITING],
    [WAITING, CANCELLED],
]
"""What campaigns go through."""
EVENTS = [
    ["created", "started", "finished"],
    ["created", "started", "finished"],
    ["created", "held", "cancelled"],
    ["created", "started", "held", "finished"],
    ["created"],
    ["created", "cancelled"],
]
"""What is told of each."""
ACCOUNTS = [
    Account(username="acme", password="密码", role="customer", seeded=False),
    Account(username="rival", password="rival", role="customer", seeded=False),
]
STILL = Pace(queue=timedelta(days=2))
"""Nothing goes out by itself."""


def tenants_of(sandbox: Sandbox, rate: int = FAST) -> list[Tenant]:
    return [
        make_tenant(
            tenant_id=each.username,
            base_url=sandbox.base_url,
            password=each.password,
            suffix=each.username,
            events={"requests_per_minute": rate},
        )
        for each in ACCOUNTS
    ]


def add_campaign(state: AccountState, status: int) -> int:
    """Make a campaign elsewhere than through the gateway."""
    number, now = state.ids.take("send"), datetime.now(UTC)
    state.campaigns[number] = Campaign(
        id=number,
        task_id=number + 1,
        track_id=number + 2,
        ident=f"20260302093000-2369-{number}",
        template_ids=[],
        list_ids=[],
        sender=Sender("all", "", ""),
        sender_name="示例 & Co",
        send_time=now,
        released=now,
    )
    move(state, number, status)
    return number


def move(state: AccountState, number: int, status: int) -> None:
    campaign, now = state.campaigns[number], datetime.now(UTC)
    campaign.status = status
    if status == SENDING:
        campaign.started, campaign.ended = campaign.started or now, now + timedelta(days=1)
    elif status == SENT:
        campaign.ended = now


async def travel(state: AccountState, database: Database, roads: dict[int, list[int]]) -> None:
    """Move campaigns along, each as soon as somebody has seen where it was."""
    left = {number: list(road[1:]) for number, road in roads.items()}
    places = {number: road[0] for number, road in roads.items()}
    async with asyncio.timeout(60):
        while places:
            seen = await seen_states(database, state.account.username)
            for number, place in list(places.items()):
                if seen.get(str(number)) != WORDS[place]:
                    continue
                if left[number]:
                    places[number] = left[number].pop(0)
                    move(state, number, places[number])
                else:
                    del places[number]
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("count", [24])
async def test_every_event_is_told_once_and_in_order_whoever_dies(database_url: str, count: int) -> None:
    chance = random.Random(7)
    database = Database(database_url)
    async with Sandbox(accounts=ACCOUNTS, pace=STILL) as sandbox, database.running():
        tenants = tenants_of(sandbox)
        app = make_app(tenants)
        state = sandbox.state("acme")
        before = add_campaign(state, SENT)
        async with app.router.lifespan_context(app), hurrying(database):
            await want(database, "acme")
            processes = [WatcherProcess(app, tenants, database_url, lease=0.3) for _ in range(3)]
            for each in processes:
                await each.start()
            await until_seen(database, before)
            roads = {add_campaign(state, ROADS[place % 6][0]): ROADS[place % 6] for place in range(count)}
            expected = {number: EVENTS[place % 6] for place, number in enumerate(roads)}
            travelling = asyncio.create_task(travel(state, database, roads))
            while not travelling.done():
                await asyncio.wait([travelling], timeout=chance.uniform(0.1, 0.4))
                place = chance.randrange(3)
                await processes[place].crash()
                processes[place] = WatcherProcess(app, tenants, database_url, lease=0.3)
                await processes[place].start()
            await travelling
            for each in processes:
                await each.stop()
            events = await told(database, "acme")
    found: dict[int, list[str]] = defaultdict(list)
    for event in events:
        kind, _, what = event.type.partition(".")
        assert kind == "campaign"
        if what != "progressed":
            found[json.loads(event.data)["id"]].append(what)
    assert found == expected
    assert [event.id for event in events] == sorted(event.id for event in events)


async def until_seen(database: Database, number: int) -> None:
    async with asyncio.timeout(10):
        while str(number) not in await seen_states(database, "acme"):  # noqa: ASYNC110 - others bring it about
            await asyncio.sleep(0.02)


async def test_a_listing_that_is_not_whole_moves_nothing(database_url: str) -> None:
    database = Database(database_url)
    async with Sandbox(accounts=ACCOUNTS, pace=STILL) as sandbox, database.running():
        tenants, state = tenants_of(sandbox), sandbox.state("acme")
        app = make_app(tenants)
        first = add_campaign(state, HELD)
        watchers = WatcherProcess(app, tenants, database_url)
        async with app.router.lifespan_context(app), hurrying(database):
            await want(database, "acme")
            await watchers.start()
            await until_seen(database, first)
            sandbox.misbehave(Fault("bare_ampersand", operation="task-list", times=None))
            second = add_campaign(state, HELD)
            asked = len(sandbox.calls)
            await until(lambda: len(sandbox.calls) > asked + 6)
            assert await told(database, "acme") == []
            sandbox.clear_faults()
            await until_seen(database, second)
            await watchers.stop()
        assert [event.type for event in await told(database, "acme")] == ["campaign.created"]


async def test_the_budget_holds_to_the_request(database_url: str) -> None:
    """However many replicas there are, and however many of the platform's failures."""
    sent: list[float] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(time.monotonic())
        return httpx2.Response(503 if len(sent) % 3 == 0 else 200, text="<task_list></task_list>")

    database = Database(database_url)
    tenants = [make_tenant(events={"requests_per_minute": 600})]
    app = make_app(tenants, httpx2.MockTransport(answer))
    async with database.running(), app.router.lifespan_context(app), hurrying(database):
        await want(database, "acme", 600)
        processes = [WatcherProcess(app, tenants, database_url) for _ in range(3)]
        for each in processes:
            await each.start()
        await until(lambda: len(sent) > 12)
        for each in processes:
            await each.stop()
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) >= 0.1
