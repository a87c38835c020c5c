"""What /metrics says of requests, tenants, queues, keys and the process."""

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.writes import attempts
from app.telemetry.metrics import Metrics, TenantLabels
from app.telemetry.watches import LoopLag
from app.telemetry.workers import Processes, Workers
from app.tenants.models import ApiKey, Limits, Scope
from app.tenants.store import hash_key
from tests.support.exposition import samples, total
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant

LISTS = xml_reply("<maillist></maillist>")
TENANT_COUNT = "umail_gateway_tenant_request_duration_seconds_count"


async def scrape(client: httpx2.AsyncClient) -> str:
    return (await client.get("/metrics")).text


class Slow(httpx2.AsyncBaseTransport):
    """A platform that answers when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.begun.set()
        await self.go_on.wait()
        return LISTS


class TestTenants:
    @pytest.mark.parametrize(
        ("most", "labels"), [(2, {"acme": 2, "rival": 1}), (1, {"acme": 2, "other": 1}), (0, {"other": 3})]
    )
    async def test_have_metrics_of_their_own_up_to_a_number(self, most: int, labels: dict[str, int]) -> None:
        tenants = [make_tenant(), make_tenant(tenant_id="rival", suffix="rival")]
        app = make_app(tenants, FakePlatform([LISTS]).transport, metrics_tenants=most)
        async with client_of(app) as client:
            for key in (KEY, f"{KEY}rival", KEY, "umg_wrong"):
                await client.get("/v1/lists", headers={"Authorization": f"Bearer {key}"})
            text = await scrape(client)
        found = samples(text)[TENANT_COUNT]
        assert {each["tenant"]: value for each, value in found} == labels
        assert {each["status"] for each, _ in found} == {"2xx"}

    def test_have_the_same_ones_in_all_workers(self, tmp_path: Path) -> None:
        workers = Workers(tmp_path)
        one, another = TenantLabels(2, workers), TenantLabels(2, workers)
        assert [one.of("a"), another.of("b"), one.of("c"), another.of("a"), one.of("b")] == [
            "a",
            "b",
            "other",
            "a",
            "b",
        ]


class TestRefusals:
    async def test_of_a_tenants_and_a_keys_limit(self) -> None:
        tenant = make_tenant(limits=Limits(requests_per_minute=1))
        async with client_of(make_app([tenant], FakePlatform([LISTS]).transport)) as client:
            for _ in range(3):
                await client.get("/v1/lists")
            text = await scrape(client)
        assert total(text, "umail_gateway_refused_total", reason="tenant_limit") == 2

    async def test_of_a_keys_limit(self) -> None:
        key = ApiKey(id="small", sha256=hash_key("umg_small"), scopes=frozenset(Scope), requests_per_minute=1)
        async with client_of(
            make_app([make_tenant(keys=(key,))], FakePlatform([LISTS]).transport), "umg_small"
        ) as client:
            for _ in range(2):
                await client.get("/v1/lists")
            text = await scrape(client)
        assert total(text, "umail_gateway_refused_total", reason="key_limit") == 1

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"queue_length": 0}, "tenant_slots"),
            ({"queue_length": 0, "upstream_connections": 1}, "upstream_slots"),
            ({"queue_length": 10, "queue_wait": 0.01}, "tenant_slots"),
            ({"max_requests": 1}, "requests"),
        ],
    )
    async def test_of_what_is_under_way(self, settings: dict[str, Any], reason: str) -> None:
        slow = Slow()
        concurrency = 2 if reason == "upstream_slots" else 1
        tenant = make_tenant(limits=Limits(concurrency=concurrency))
        async with client_of(make_app([tenant], slow, **settings)) as client:
            first = asyncio.create_task(client.get("/v1/lists"))
            await slow.begun.wait()
            assert (await client.get("/v1/domains")).status_code in {429, 503}
            slow.go_on.set()
            await first
            text = await scrape(client)
        assert {each["reason"]: value for each, value in samples(text)["umail_gateway_refused_total"]} == {reason: 1}
        waited = total(text, "umail_gateway_slot_wait_seconds_count", which="tenant")
        assert waited == (1 if "queue_wait" in settings else 0)

    async def test_of_breakers_and_logins(self) -> None:
        tenants = [make_tenant(), make_tenant(tenant_id="rival", suffix="rival")]
        platform = FakePlatform([xml_reply("", status=401), xml_reply("", status=500)])
        app = make_app(tenants, platform.transport, login_refusals=1, breaker_minimum_calls=2)
        async with client_of(app) as client:
            await client.get("/v1/lists")
            await client.get("/v1/lists")
            for _ in range(3):
                await client.get("/v1/lists", headers={"Authorization": f"Bearer {KEY}rival"})
            text = await scrape(client)
        assert {each["reason"]: value for each, value in samples(text)["umail_gateway_refused_total"]} == {
            "login": 1,
            "breaker": 1,
        }


class TestTries:
    async def test_and_the_waits_between_them_are_counted(self) -> None:
        platform = FakePlatform([xml_reply("", status=503, content_type="text/html"), LISTS])
        app = make_app([make_tenant()], platform.transport, retry_attempts=2, retry_base=0.01)
        async with client_of(app) as client:
            assert (await client.get("/v1/lists")).status_code == 200
            text = await scrape(client)
        assert total(text, "umail_gateway_upstream_duration_seconds_count", operation="lists.list") == 2
        assert total(text, "umail_gateway_upstream_retries_total", operation="lists.list") == 1
        assert 0 < total(text, "umail_gateway_upstream_backoff_seconds_total", operation="lists.list") <= 0.01


class TestGauges:
    async def test_show_what_is_under_way(self) -> None:
        slow = Slow()
        async with client_of(make_app([make_tenant()], slow)) as client:
            request = asyncio.create_task(client.get("/v1/lists"))
            await slow.begun.wait()
            during = await scrape(client)
            slow.go_on.set()
            await request
            after = await scrape(client)
        for name in ("requests_in_progress", "slots_in_use"):
            assert total(during, f"umail_gateway_{name}") >= 1
            assert total(after, f"umail_gateway_{name}") == 0

    async def test_show_what_is_kept_and_what_made_room(self) -> None:
        tenants = [make_tenant(tenant_id=each, suffix=each) for each in "abcdefg"]
        app = make_app(tenants, FakePlatform([LISTS]).transport, cache_lifetimes={"*": 60}, cache_bytes=4 * 2500)
        async with client_of(app) as client:
            for each in tenants:
                await client.get("/v1/lists", headers={"Authorization": f"Bearer {KEY}{each.id}"})
            text = await scrape(client)
        entries, size = total(text, "umail_gateway_cache_entries"), total(text, "umail_gateway_cache_bytes")
        assert entries >= 1
        assert 0 < size <= 4 * 2500
        assert total(text, "umail_gateway_cache_evictions_total") >= 1

    async def test_show_the_release_and_the_process(self) -> None:
        async with client_of(make_app([])) as client:
            text = await scrape(client)
        assert total(text, "umail_gateway_build_info") == 1
        assert total(text, "process_open_fds") > 0
        assert time.time() - 86_400 < total(text, "process_start_time_seconds") < time.time()


class TestLoopLag:
    async def test_tells_how_late_the_event_loop_is_and_samples(self) -> None:
        metrics, sampled = Metrics(), asyncio.Event()
        metrics.sample_with(sampled.set)
        async with LoopLag(metrics, period=0.001).running():
            await asyncio.sleep(0)
            time.sleep(0.05)  # noqa: ASYNC251 - it blocks the loop on purpose
            await sampled.wait()
        text = metrics.render().decode()
        assert total(text, "umail_gateway_event_loop_lag_seconds_sum") >= 0.04


class TestWorkers:
    def test_that_are_gone_keep_what_they_counted_but_no_gauges(self, tmp_path: Path) -> None:
        gone = 4_000_000
        for name in (f"worker_{gone}.lock", f"gauge_livesum_{gone}.db", f"counter_{gone}.db"):
            (tmp_path / name).touch()
        (tmp_path / "counter_1.db").symlink_to("nowhere")
        workers = Workers(tmp_path)
        assert workers.living() == [os.getpid()]
        assert list(workers.collect()) == []
        assert {path.name for path in tmp_path.glob("*.db") if path.exists()} == {f"counter_{gone}.db"}

    def test_their_processes_are_added_up(self) -> None:
        own = {each.name: each.samples[0].value for each in Processes(lambda: [os.getpid()]).collect()}
        both = {each.name: each.samples[0].value for each in Processes(lambda: [os.getpid(), os.getppid()]).collect()}
        assert both["process_open_fds"] > own["process_open_fds"]
        assert both["process_start_time_seconds"] <= own["process_start_time_seconds"]
        assert not list(Processes(lambda: [4_000_000]).collect())


async def test_transactions_are_counted_by_kind_and_outcome(tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    database.observe_with(lambda kind, seconds, done: seen.append((kind, done and seconds >= 0)))

    def failing() -> Steps[None]:
        yield [Statement("SELECT 1 FROM nowhere")]

    async with database.running():
        await database.check()
        await database.write(lambda: attempts.forgetting(datetime.now(UTC), 1))
        with pytest.raises(DatabaseError):
            await database.read(failing)
    assert seen == [("read", True), ("write", True), ("read", False)]
