"""Locks by name, within a process and across them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from app.policies.locks import LocalLocks, LockUnavailable, Name, NamedLocks, Possession
from app.policies.locks.valkey import ValkeyLocks
from app.storage.valkey import connect
from tests.support.leases import Rounds, never
from tests.support.servers import serving
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

NAME: Name = ("acme", 7020)


def is_lost(lock: Possession) -> bool:
    """Tell whether a lock may be somebody else's."""
    try:
        lock.ensure()
    except LockUnavailable as error:
        return str(error) == "The lock was lost."
    return False


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = connect(valkey.url, timeout=5)
    yield client
    await client.aclose()


@pytest.fixture(params=["local", "valkey"])
def pair(request: pytest.FixtureRequest) -> tuple[NamedLocks, NamedLocks]:
    """The same locks as two replicas have them, of each kind in turn."""
    if request.param == "local":
        local = LocalLocks()
        return local, local
    client: Redis = request.getfixturevalue("redis")
    return ValkeyLocks(client), ValkeyLocks(client)


class TestEveryKind:
    async def test_one_at_a_time_per_name(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        inside, most, done = 0, 0, 0

        async def work(locks: NamedLocks) -> None:
            nonlocal inside, most, done
            async with locks.holding(NAME, wait=30) as held:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                held.ensure()
                inside -= 1
                done += 1

        await asyncio.gather(*(work(locks) for locks in pair * 8))
        assert (most, done) == (1, 16)

    async def test_other_names_do_not_wait(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        names: list[Name] = [("acme", 1), ("acme", "1"), ("acme1",), ("acme", 1, 1), (), ("ac", "me", 1)]
        async with AsyncExitStack() as stack:
            for number, name in enumerate(names):
                await stack.enter_async_context(pair[number % 2].holding(name, wait=0))

    async def test_waiting_ends(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        one, other = pair
        async with one.holding(NAME, wait=0):
            for wait in (0, 0.05):
                with pytest.raises(LockUnavailable, match="not released in time"):
                    async with other.holding(NAME, wait=wait):
                        raise AssertionError("it is held twice")
        async with other.holding(NAME, wait=0):
            pass

    async def test_it_survives_failures(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        one, other = pair
        with pytest.raises(LookupError):
            async with one.holding(NAME, wait=0):
                raise LookupError
        async with other.holding(NAME, wait=0):
            pass

    async def test_one_who_leaves_while_waiting(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        one, other = pair

        async def wait() -> None:
            async with other.holding(NAME, wait=30):
                raise AssertionError("it is held twice")

        async with one.holding(NAME, wait=0):
            task = asyncio.create_task(wait())
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with one.holding(NAME, wait=0):
            pass

    async def test_a_cancelled_holder_lets_go(self, pair: tuple[NamedLocks, NamedLocks]) -> None:
        one, other = pair
        held = asyncio.Event()

        async def hold() -> None:
            async with one.holding(NAME, wait=0):
                held.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hold())
        await held.wait()
        task.cancel()
        async with other.holding(NAME, wait=30):
            pass


class TestLocal:
    async def test_locks_are_forgotten(self) -> None:
        locks = LocalLocks()
        async with locks.holding(NAME, wait=0):
            with pytest.raises(LockUnavailable):
                async with locks.holding(NAME, wait=0):
                    raise AssertionError("it is held twice")
        assert not locks._locks

    async def test_in_the_order_they_came(self) -> None:
        locks, order = LocalLocks(), []

        async def work(number: int) -> None:
            async with locks.holding(NAME, wait=30):
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(number) for number in range(5)))
        assert order == [0, 1, 2, 3, 4]


class TestValkey:
    async def test_a_dead_holders_lock_ends(self, redis: Redis) -> None:
        dead, living = ValkeyLocks(redis, lease=0.05, sleep=never), ValkeyLocks(redis)
        async with dead.holding(NAME, wait=0), living.holding(NAME, wait=30):
            pass

    async def test_a_late_holder_releases_nothing_of_others(self, redis: Redis) -> None:
        late, other, third = ValkeyLocks(redis, lease=0.05, sleep=never), ValkeyLocks(redis), ValkeyLocks(redis)
        async with AsyncExitStack() as stack:
            async with late.holding(NAME, wait=0) as lost:
                await stack.enter_async_context(other.holding(NAME, wait=30))
                with pytest.raises(LockUnavailable, match="lost"):
                    lost.ensure()
            with pytest.raises(LockUnavailable):
                async with third.holding(NAME, wait=0):
                    raise AssertionError("it is held twice")

    async def test_a_holder_renews(self, redis: Redis) -> None:
        rounds = Rounds()
        locks = ValkeyLocks(redis, lease=60, sleep=rounds.sleep, clock=rounds.clock)
        async with locks.holding(NAME, wait=0) as held:
            (key,) = await redis.keys()
            await redis.pexpire(key, 30_000)
            rounds.now = 20
            await rounds.wake()
            await rounds.asleep()
            assert await redis.pttl(key) > 55_000
            rounds.now = 79
            held.ensure()
        assert await redis.keys() == []

    async def test_a_holder_learns_that_its_lock_is_gone(self, redis: Redis) -> None:
        rounds = Rounds()
        locks = ValkeyLocks(redis, sleep=rounds.sleep)
        async with locks.holding(NAME, wait=0) as held:
            await redis.flushall()
            await rounds.wake()
            await until(lambda: is_lost(held))

    async def test_names_do_not_stand_there_in_clear(self, redis: Redis) -> None:
        async with ValkeyLocks(redis).holding(("acme", "campaign"), wait=0):
            key = bytes(*await redis.keys())
            assert key.startswith(b"umail-gateway:lock:")
            assert b"campaign" not in key

    async def test_those_who_leave_at_any_moment_leave_no_lock(self, redis: Redis) -> None:
        locks = ValkeyLocks(redis)

        async def work() -> None:
            while True:
                async with locks.holding(NAME, wait=30):
                    pass

        for turns in range(60):
            task = asyncio.create_task(work())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait({task})
            assert task.cancelled()
        async with ValkeyLocks(redis).holding(NAME, wait=5):
            pass

    async def test_waiting_pauses_grow(self, redis: Redis) -> None:
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) > 12:
                raise LookupError

        async with ValkeyLocks(redis).holding(NAME, wait=0):
            with pytest.raises(LookupError):
                async with ValkeyLocks(redis, sleep=sleep).holding(NAME, wait=600):
                    raise AssertionError("it is held twice")
        assert 0.005 <= pauses[0] <= 0.01
        assert 0.125 <= pauses[-1] <= 0.25


class TestValkeyGone:
    @pytest.fixture
    async def server(self) -> AsyncIterator[ValkeyServer]:
        """A server of the test's own."""
        server = ValkeyServer()
        server.start()
        yield server
        server.close()

    async def test_before(self, server: ValkeyServer) -> None:
        server.stop()
        client = connect(server.url, timeout=1)
        with pytest.raises(LockUnavailable, match="cannot be used: ConnectionError"):
            async with ValkeyLocks(client).holding(NAME, wait=30):
                raise AssertionError("it is held")
        await client.aclose()

    async def test_in_the_middle(self, server: ValkeyServer) -> None:
        client, rounds = connect(server.url, timeout=1), Rounds()
        locks = ValkeyLocks(client, lease=10, sleep=rounds.sleep, clock=rounds.clock)
        async with locks.holding(NAME, wait=0) as held:
            server.stop()
            await rounds.wake()
            await rounds.asleep()
            held.ensure()
            rounds.now = 10
            with pytest.raises(LockUnavailable, match="lost"):
                held.ensure()
        server.start()
        async with locks.holding(NAME, wait=0):
            pass
        await client.aclose()

    async def test_who_leaves_a_server_that_hangs(self) -> None:
        asked = asyncio.Event()

        async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            asked.set()
            await asyncio.Event().wait()

        async def work() -> None:
            async with locks.holding(NAME, wait=30):
                raise AssertionError("it is held")

        async with serving(hang) as url:
            client = connect(f"redis://127.0.0.1:{urlsplit(url).port}/0", timeout=0.05)
            locks = ValkeyLocks(client)
            task = asyncio.create_task(work())
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await client.aclose()
