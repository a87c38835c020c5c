"""Idempotency keys in Valkey: secrecy, time, and a server that goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.policies.idempotency import ClaimLost, Phase, Record, StoredAnswer, StoreUnavailable
from app.policies.idempotency.scripts import Scripts, Times
from app.policies.idempotency.sealing import Sealer
from app.policies.idempotency.valkey import ValkeyIdempotencyStore
from app.storage.valkey import connect
from app.tenants.master_keys import MasterKey
from tests.policies.idempotency.conftest import MASTER_KEY, SOON, ask, claim, record
from tests.support.leases import Rounds, never
from tests.support.servers import serving, unused_port
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

ANSWER = StoredAnswer(200, (("X-Secret", "confidential-header"),), b"confidential-body")


@pytest.fixture
def store(redis: Redis) -> ValkeyIdempotencyStore:
    """An empty store that does not renew leases."""
    return ValkeyIdempotencyStore(redis, MASTER_KEY, sleep=never)


async def dump(redis: Redis) -> str:
    """Return everything that the server holds."""
    return " ".join([f"{key!r} {await redis.hgetall(key)}" for key in await redis.keys()])


class TestSecrecy:
    async def test_nothing_stands_there_in_clear(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        names = {"tenant": "secret-tenant", "key": "secret-key", "request_id": "secret-id"}
        async with await claim(store, **names, head="secret-head", body="secret-body") as claimed:
            await claimed.sending()
            await claimed.finish(ANSWER, body="secret-body")
        held = await dump(redis)
        assert held.startswith("b'umail-gateway:idempotency:")
        assert "secret" not in held
        assert "confidential" not in held

    async def test_another_master_key_finds_nothing(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        other = ValkeyIdempotencyStore(redis, MasterKey(b"o" * 32), sleep=never)
        async with await claim(store), await claim(other):
            assert len(await redis.keys()) == 2

    @pytest.mark.parametrize("sealed", [b"", b"x" * 11, b"x" * 100], ids=len)
    async def test_what_cannot_be_read_is_not_taken_for_new(
        self, store: ValkeyIdempotencyStore, redis: Redis, sealed: bytes
    ) -> None:
        async with await claim(store) as claimed:
            await claimed.sending()
        await redis.hset(bytes(*await redis.keys()), "sealed", sealed)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await ask(store)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await store.settle("acme", "key", ANSWER, request_id="request-1")

    async def test_half_a_record(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        async with await claim(store):
            pass
        await redis.hdel(bytes(*await redis.keys()), "holder", "until")
        async with await claim(store):
            pass
        await redis.hdel(bytes(*await redis.keys()), "sealed")
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await ask(store)

    async def test_something_else_in_its_place(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        async with await claim(store):
            pass
        await redis.set(bytes(*await redis.keys()), "something else")
        with pytest.raises(StoreUnavailable, match="ResponseError"):
            await ask(store)

    @pytest.mark.parametrize("other", [{"tenant": "rival"}, {"key": "another"}])
    async def test_a_record_is_good_in_its_place_only(
        self, store: ValkeyIdempotencyStore, redis: Redis, other: dict[str, str]
    ) -> None:
        async with await claim(store) as claimed:
            await claimed.finish(ANSWER, body="body")
        (first,) = await redis.keys()
        async with await claim(store, **other):
            pass
        (second,) = set(await redis.keys()) - {first}
        await redis.rename(first, second)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await ask(store, **other)


class TestTime:
    async def test_a_record_is_kept_for_a_day(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        async with await claim(store, lease=1) as claimed:
            key = bytes(*await redis.keys())
            for step in (claimed.sending(), claimed.finish(ANSWER, body="body")):
                await redis.pexpire(key, 1000)
                await step
                assert 86_390 < await redis.ttl(key) <= 86_400

    async def test_a_living_request_keeps_its_lease_and_record(self, redis: Redis) -> None:
        rounds = Rounds()
        store = ValkeyIdempotencyStore(redis, MASTER_KEY, sleep=rounds.sleep)
        async with await claim(store, lease=60) as claimed:
            await claimed.sending()
            key = bytes(*await redis.keys())
            await redis.hset(key, "until", "1")
            await redis.pexpire(key, 1000)
            assert (await record(store)).expired_lease
            await rounds.wake()
            await rounds.asleep()
            assert not (await record(store)).expired_lease
            assert await redis.ttl(key) > 86_000
            assert rounds.slept[0] == 20

    async def test_a_lost_lease_is_not_renewed(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        rounds = Rounds()
        async with await claim(ValkeyIdempotencyStore(redis, MASTER_KEY, sleep=rounds.sleep)) as claimed:
            await redis.flushall()
            async with await claim(store):
                await rounds.wake()
                await until(claimed._lease._task.done)
                with pytest.raises(ClaimLost):
                    await claimed.sending()


class Meddling(Sealer):
    """Lets something happen between the reading of a record and what follows from it."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__(MASTER_KEY)
        self._meddle = meddle

    def unseal(self, tenant: str, name: str, sealed: bytes) -> Record:
        """Read a record; then let it happen."""
        found = super().unseal(tenant, name, sealed)
        self._meddle()
        return found


async def test_a_holder_who_comes_back_in_between(
    store: ValkeyIdempotencyStore, redis: Redis, valkey: ValkeyServer
) -> None:
    async with await claim(store):
        pass
    key = bytes(*await redis.keys())
    await redis.hset(key, "until", "1")
    with valkey.client() as other:
        store._sealer = Meddling(lambda: other.hset(key, "until", str(2**42)))
        found = await record(store, request_id="request-2")
    assert (found.phase, found.request_id, found.expired_lease) == (Phase.CLAIMED, "request-1", False)


class TestSteps:
    """A lease may be over and its holder still come back; who takes over must notice."""

    TIMES = Times(SOON, 60)

    @pytest.fixture
    async def scripts(self, redis: Redis) -> Scripts:
        """A record called `name` of `first`, whose lease is over."""
        scripts = Scripts(redis)
        assert await scripts.create("name", "first", self.TIMES, b"one") is None
        await redis.hset("name", "until", "1")
        return scripts

    async def test_taking_over(self, scripts: Scripts) -> None:
        assert await scripts.take_over("name", "second", self.TIMES, b"two", present=b"one")
        assert not await scripts.write_held("name", "first", self.TIMES, b"three")
        assert await scripts.write_held("name", "second", self.TIMES, b"three")

    async def test_after_the_holder_renewed(self, scripts: Scripts) -> None:
        assert await scripts.renew("name", "first", Times(60, 60))
        assert not await scripts.take_over("name", "second", self.TIMES, b"two", present=b"one")

    async def test_after_the_holder_wrote(self, scripts: Scripts, redis: Redis) -> None:
        assert await scripts.write_held("name", "first", self.TIMES, b"two")
        await redis.hset("name", "until", "1")
        assert not await scripts.take_over("name", "second", self.TIMES, b"three", present=b"one")

    async def test_after_it_was_cleared(self, scripts: Scripts) -> None:
        assert await scripts.clear("name", "first")
        assert await scripts.read("name") is None
        assert not await scripts.take_over("name", "second", self.TIMES, b"two", present=b"one")
        assert not await scripts.renew("name", "first", self.TIMES)


class TestServerGone:
    @pytest.fixture
    async def server(self) -> AsyncIterator[ValkeyServer]:
        """A server of the test's own."""
        server = ValkeyServer()
        server.start()
        yield server
        server.close()

    @pytest.fixture
    async def own(self, server: ValkeyServer) -> AsyncIterator[ValkeyIdempotencyStore]:
        """A store on that server."""
        client = connect(server.url, timeout=1)
        yield ValkeyIdempotencyStore(client, MASTER_KEY, sleep=never)
        await client.aclose()

    async def test_everything_fails_closed(self, server: ValkeyServer, own: ValkeyIdempotencyStore) -> None:
        await own.check()
        server.stop()
        for call in (own.check(), ask(own), own.settle("acme", "key", ANSWER, request_id="request-1")):
            with pytest.raises(StoreUnavailable, match="cannot be used: ConnectionError"):
                await call

    async def test_in_the_middle(self, server: ValkeyServer, own: ValkeyIdempotencyStore) -> None:
        async with await claim(own) as claimed:
            await claimed.sending()
            server.stop(keep=True)
            with pytest.raises(StoreUnavailable):
                await claimed.finish(ANSWER, body="body")
            with pytest.raises(StoreUnavailable):
                await claimed.release()
            server.start()
            assert (await record(own)).phase is Phase.SENDING
            await claimed.finish(ANSWER, body="body")
        assert (await record(own)).answer == ANSWER

    async def test_before_sending(self, server: ValkeyServer, own: ValkeyIdempotencyStore) -> None:
        async with await claim(own) as claimed:
            server.stop(keep=True)
            with pytest.raises(StoreUnavailable):
                await claimed.sending()
            server.start()
        async with await claim(own):
            pass

    async def test_before_sending_and_for_good(self, server: ValkeyServer, own: ValkeyIdempotencyStore) -> None:
        async with await claim(own) as claimed:
            server.stop(keep=True)
            with pytest.raises(StoreUnavailable):
                await claimed.sending()
        server.start()
        assert (await record(own, head="another")).phase is Phase.CLAIMED

    async def test_a_second_note_that_fails_releases_nothing(
        self, server: ValkeyServer, own: ValkeyIdempotencyStore
    ) -> None:
        async with await claim(own) as claimed:
            await claimed.sending()
            server.stop(keep=True)
            with pytest.raises(StoreUnavailable):
                await claimed.sending()
            server.start()
        assert (await record(own)).phase is Phase.SENDING

    async def test_what_was_lost_is_noticed(self, server: ValkeyServer, own: ValkeyIdempotencyStore) -> None:
        async with await claim(own) as claimed:
            server.stop()
            with pytest.raises(StoreUnavailable):
                await own.check()
            server.start()
            with pytest.raises(ClaimLost):
                await claimed.sending()

    async def test_a_server_that_hangs(self) -> None:
        async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        async with serving(hang) as url:
            port = urlsplit(url).port
            client = connect(f"redis://127.0.0.1:{port}/0", timeout=0.05)
            with pytest.raises(StoreUnavailable, match="Timeout"):
                await ask(ValkeyIdempotencyStore(client, MASTER_KEY))
            await client.aclose()

    async def test_renewals_go_on_when_it_is_back(self, server: ValkeyServer) -> None:
        client, rounds = connect(server.url, timeout=1), Rounds()
        store = ValkeyIdempotencyStore(client, MASTER_KEY, sleep=rounds.sleep)
        async with await claim(store):
            server.stop(keep=True)
            await rounds.wake()
            await rounds.asleep()
            server.start()
            key = bytes(*await client.keys())
            await client.hset(key, "until", "1")
            await rounds.wake()
            await rounds.asleep()
            assert not (await record(store)).expired_lease
        await client.aclose()


class TestWarnings:
    async def warnings(self, store: ValkeyIdempotencyStore) -> list[str]:
        """Return what is warned of at the start."""
        with capture_logs() as logs:
            async with store.running():
                pass
        return [entry["reason"].partition(";")[0] for entry in logs]

    async def test_a_server_that_loses_keys(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        await redis.config_set("maxmemory", "100mb")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert await self.warnings(store) == [
                "it evicts keys when memory is short",
                "it loses keys when it restarts",
            ]
        finally:
            await redis.config_set("maxmemory-policy", "noeviction")
            await redis.config_set("maxmemory", "0")

    async def test_a_server_that_keeps_them(self, store: ValkeyIdempotencyStore, redis: Redis) -> None:
        await redis.config_set("appendonly", "yes")
        try:
            assert await self.warnings(store) == []
        finally:
            await redis.config_set("appendonly", "no")

    async def test_a_server_that_is_away(self) -> None:
        client = connect(f"redis://127.0.0.1:{unused_port()}/0", timeout=1)
        assert await self.warnings(ValkeyIdempotencyStore(client, MASTER_KEY)) == ["ConnectionError"]
        await client.aclose()
