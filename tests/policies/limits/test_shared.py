"""Limits that processes share: what they allow together, what they spare the store, and what they do without it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from app.policies.limits.model import UNLIMITED, Decision, Quota
from app.policies.limits.shared import SharedRateLimiter, SharedWindow
from tests.support.clocks import Clock
from tests.support.limiters import DAY, allowed, storage_at
from tests.support.valkey import ValkeyServer

QUOTA = Quota("tenant", 600, DAY)
LEASE = 12


class Failures:
    """Counts failures of the store."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> None:
        """Count one."""
        self.number += 1


@asynccontextmanager
async def limiter_at(url: str, clock: Clock | None = None, most: int = 100) -> AsyncIterator[SharedRateLimiter]:
    """Make a limiter as one process has it."""
    failures = Failures()
    async with storage_at(url) as storage:
        yield SharedRateLimiter(storage, failures, clock or Clock(), most=most)
    assert failures.number == 0


async def hit(limiter: SharedRateLimiter, quota: Quota = QUOTA, subject: str = "acme") -> Decision:
    return await limiter.hit([(subject, quota)])


async def at_once(times: int, *limiters: SharedRateLimiter) -> int:
    """Ask each limiter so many times, all at once, and return how often it was allowed."""
    decisions = await asyncio.gather(*(hit(limiter) for _ in range(times) for limiter in limiters))
    return sum(decision.allowed for decision in decisions)


def commands(server: ValkeyServer) -> int:
    """Return how many commands the server has carried out."""
    with server.client() as client:
        return int(client.info("stats")["total_commands_processed"])


class TestLeases:
    async def test_processes_together_never_exceed_the_quota(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as one, limiter_at(valkey.url) as other:
            total = await at_once(320, one, other)
            assert QUOTA.amount - 2 * LEASE < total <= QUOTA.amount
            total += await allowed(one, QUOTA, LEASE) + await allowed(other, QUOTA, LEASE)
            assert total == QUOTA.amount

    async def test_processes_in_turns_never_exceed_the_quota(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as one, limiter_at(valkey.url) as other:
            total = 0
            for times in (1, 7, 50, 3, 200, 90, 30, 100, 100):
                total += await allowed(one, QUOTA, times) + await allowed(other, QUOTA, times)
            assert total == QUOTA.amount

    async def test_calls_at_once_get_all_of_the_quota(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as limiter:
            assert await at_once(620, limiter) == QUOTA.amount

    async def test_bursts_with_pauses_get_all_of_the_quota(self, valkey: ValkeyServer) -> None:
        clock, total = Clock(), 0
        async with limiter_at(valkey.url, clock) as limiter:
            for _ in range(35):
                total += await at_once(20, limiter)
                clock.now += 2.0
        assert total == QUOTA.amount

    async def test_calls_far_apart_get_all_of_the_quota(self, valkey: ValkeyServer) -> None:
        clock, total = Clock(), 0
        async with limiter_at(valkey.url, clock) as limiter:
            for _ in range(QUOTA.amount + 10):
                total += (await hit(limiter)).allowed
                clock.now += 1.5
        assert total == QUOTA.amount

    async def test_most_calls_spare_the_store(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as limiter:
            await hit(limiter)
            before = commands(valkey)
            assert await allowed(limiter, QUOTA, 2 * LEASE - 1) == 2 * LEASE - 1
            assert commands(valkey) - before < 2 * LEASE

    async def test_a_burst_is_no_burst_for_the_store(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as limiter:
            await hit(limiter)
            before = commands(valkey)
            assert await at_once(1000, limiter) == QUOTA.amount - 1
            assert commands(valkey) - before < 100

    async def test_a_lease_ends_with_the_window(self, valkey: ValkeyServer) -> None:
        clock = Clock()
        async with limiter_at(valkey.url, clock) as limiter:
            assert (await hit(limiter)).standings[0].remaining == 599
            clock.now += DAY
            assert (await hit(limiter)).standings[0].remaining == 600 - LEASE - 1

    async def test_the_time_until_there_is_more_passes_for_leases_too(self, valkey: ValkeyServer) -> None:
        clock = Clock()
        async with limiter_at(valkey.url, clock) as limiter:
            first = (await hit(limiter)).standings[0].reset
            clock.now += 100.0
            assert (await hit(limiter)).standings[0].reset == pytest.approx(first - 100.0)

    async def test_a_window_that_begins_ends_as_late_as_it_can(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url) as limiter:
            for number in range(20):
                assert (await hit(limiter, subject=f"{number}")).standings[0].reset == DAY

    async def test_the_oldest_lease_is_forgotten(self, valkey: ValkeyServer) -> None:
        async with limiter_at(valkey.url, most=2) as limiter:
            for subject in ("forgotten", "kept", "new"):
                await hit(limiter, subject=subject)
            assert (await hit(limiter, subject="kept")).standings[0].remaining == 598
            assert (await hit(limiter, subject="forgotten")).standings[0].remaining == 600 - LEASE - 1


@pytest.fixture
def own_server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    server.close()


class TestStoreGone:
    async def test_everything_is_allowed_and_counted_again_afterwards(self, own_server: ValkeyServer) -> None:
        clock, failures, quota = Clock(), Failures(), Quota("tenant", 2, DAY)
        async with storage_at(own_server.url) as storage:
            limiter = SharedRateLimiter(storage, failures, clock)
            assert await allowed(limiter, quota, 3) == 2
            own_server.stop(keep=True)
            assert [await hit(limiter, quota) for _ in range(9)] == [UNLIMITED] * 9
            assert failures.number == 1
            own_server.start()
            assert await hit(limiter, quota) == UNLIMITED
            clock.now += 0.5
            assert await allowed(limiter, quota, 3) == 0
            assert failures.number == 1

    async def test_what_was_leased_is_used_meanwhile(self, own_server: ValkeyServer) -> None:
        async with storage_at(own_server.url) as storage:
            limiter = SharedRateLimiter(storage, Failures(), Clock())
            await hit(limiter)
            own_server.stop()
            remaining = [each.standings[0].remaining for each in [await hit(limiter) for _ in range(LEASE - 1)]]
            assert remaining == [*range(598, 600 - LEASE - 1, -1)]
            assert await hit(limiter) == UNLIMITED

    async def test_leases_are_taken_again_after_a_failure(self, own_server: ValkeyServer) -> None:
        clock = Clock()
        async with storage_at(own_server.url) as storage:
            limiter = SharedRateLimiter(storage, Failures(), clock)
            own_server.stop()
            assert await hit(limiter) == UNLIMITED
            own_server.start()
            clock.now += 0.5
            assert [(await hit(limiter)).standings[0].remaining for _ in range(2)] == [599, 598]
            with own_server.client() as client:
                assert sorted(client.mget(client.keys("umg:limits*"))) == [b"12"]

    async def test_it_is_tried_once_in_each_pause(self) -> None:
        clock, failures = Clock(), Failures()
        async with storage_at("redis://127.0.0.1:1/0") as storage:
            limiter = SharedRateLimiter(storage, failures, clock)
            for expected in (1, 2, 3):
                assert [await hit(limiter) for _ in range(5)] == [UNLIMITED] * 5
                assert failures.number == expected
                clock.now += 0.5

    async def test_one_that_hangs_is_waited_for_once(self) -> None:
        connections: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _reader, writer: connections.append(writer), "127.0.0.1", 0)
        port, failures = server.sockets[0].getsockname()[1], Failures()
        async with server, storage_at(f"redis://127.0.0.1:{port}/0", patience=0.05) as storage:
            limiter = SharedRateLimiter(storage, failures, Clock())
            both = [("acme", QUOTA), ("acme/key", QUOTA)]
            assert [await limiter.hit(both) for _ in range(20)] == [UNLIMITED] * 20
            assert (failures.number, len(connections)) == (1, 1)
            connections[0].close()

    async def test_an_exact_window_allows_everything_too(self, own_server: ValkeyServer) -> None:
        clock, failures, quota = Clock(), Failures(), Quota("campaigns", 1, DAY)
        async with storage_at(own_server.url) as storage:
            window = SharedWindow(storage, failures, clock)
            assert [(await window.hit("acme", quota)).allowed for _ in range(2)] == [True, False]
            own_server.stop(keep=True)
            assert [await window.hit("acme", quota) for _ in range(9)] == [UNLIMITED] * 9
            assert failures.number == 1
            own_server.start()
            clock.now += 0.5
            assert not (await window.hit("acme", quota)).allowed


async def test_exact_windows_of_processes_never_exceed_the_quota(valkey: ValkeyServer) -> None:
    quota = Quota("campaigns", 10, DAY)
    async with storage_at(valkey.url) as one, storage_at(valkey.url) as other:
        windows = SharedWindow(one, Failures()), SharedWindow(other, Failures())
        decisions = await asyncio.gather(*(window.hit("acme", quota) for _ in range(20) for window in windows))
    assert sum(decision.allowed for decision in decisions) == 10
