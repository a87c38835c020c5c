"""What the cache keeps in Valkey, what it makes of what it finds there, and what it does without it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.policies.cache import valkey as valkey_store
from app.policies.cache.model import CacheOutcome
from app.policies.cache.valkey import ValkeyStore
from app.storage.valkey import connect, warn_if_unbounded
from app.tenants.vault import MasterKey
from tests.policies.cache.conftest import Clock, Platform, Replica, eventually, make_key, replica_of, scripts_run
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

ENTRIES = "umail:cache:entry:*"


def entries(server: ValkeyServer) -> dict[bytes, bytes]:
    """Return what is stored."""
    with server.client() as client:
        return {key: client.get(key) for key in client.keys(ENTRIES)}


def overwrite(server: ValkeyServer, contents: dict[bytes, bytes]) -> None:
    """Replace what is stored."""
    with server.client() as client:
        client.mset(contents)


async def working(replica: Replica, *values: str) -> None:
    """Read until the cache works again, and see none but these values meanwhile."""
    async with asyncio.timeout(20):
        while True:
            value, outcome = await replica.read()
            assert value in values
            if outcome is CacheOutcome.HIT:
                return
            await asyncio.sleep(0.01)


async def write(replica: Replica, value: str) -> None:
    """Change what the platform answers, as a client of the gateway."""
    async with replica.cache.changing("acme", ["lists"], 5):
        replica.platform.value = value


def recovered(replica: Replica) -> bool:
    """Tell whether a replica uses its store."""
    assert isinstance(replica.store, ValkeyStore)
    return replica.store._recovery is None


class TestWhatIsStored:
    async def test_no_tenant_and_no_content_in_clear(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            replica.platform.value = "anna@example.com"
            await replica.read()
            async with replica.cache.changing("acme", ["lists"], 5):
                with valkey.client() as client:
                    names = client.keys("*")
                    texts = [client.get(name) for name in names if client.type(name) == b"string"]
        assert len(names) == 7
        assert not [name for name in names if b"acme" in name]
        assert not [text for text in texts if b"example" in text]

    async def test_an_entry_lives_as_long_as_it_is_of_use_and_its_versions_no_shorter(
        self, valkey: ValkeyServer
    ) -> None:
        async with replica_of(valkey) as replica:
            replica.platform.windows = type(replica.platform.windows)(60, 30, 86_400)
            await replica.read(make_key("a"))
            replica.platform.found = False
            await replica.read(make_key("b"))
            with valkey.client() as client:
                lives = sorted(round(client.pttl(name) / 1000) for name in client.keys(ENTRIES))
                assert lives == [60, 86_460]
                assert min(client.pttl(name) for name in client.keys("umail:cache:[eti]*") if b":2:" not in name) > 86e6

    async def test_a_version_that_is_being_written_expires_with_the_write(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica, replica.cache.changing("acme", ["lists"], 5):
            await replica.read()
            with valkey.client() as client:
                [version] = client.keys("umail:cache:tag:*:lists")
                assert 4000 < client.pttl(version) <= 5000
        with valkey.client() as client:
            assert client.keys("umail:cache:tag:*:lists") == []

    async def test_too_large_an_entry_is_not_stored(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, largest=2000) as replica:
            replica.platform.value = "x" * 2000
            for _ in range(2):
                served = await replica.cache.read(make_key(), replica.platform.fetch)
                assert (served.outcome, served.stored) == (CacheOutcome.MISS, False)
        assert entries(valkey) == {}

    async def test_evicted_versions_do_not_come_back(self, valkey: ValkeyServer) -> None:
        for pattern in ("umail:cache:tag:*", "umail:cache:tenant:*", "umail:cache:everything"):
            async with replica_of(valkey) as replica:
                await replica.read(no_cache=True)
                with valkey.client() as client:
                    client.delete(*client.keys(pattern))
                assert await replica.read() == ("v1", CacheOutcome.MISS)

    async def test_names_do_not_collide(self, valkey: ValkeyServer) -> None:
        keys = [
            make_key(tenant=tenant, tags=tags) for tenant, tags in (("a:b", ("c",)), ("a", ("b:c",)), ("a:b:c", ()))
        ]
        async with replica_of(valkey) as replica:
            for number, key in enumerate(keys):
                replica.platform.value = str(number)
                assert await replica.read(key) == (str(number), CacheOutcome.MISS)
            async with replica.cache.changing("a:b", ["c"], 5):
                pass
            assert [await replica.keeps(key) for key in keys] == [False, True, True]


class TestTheShareOfATenant:
    async def test_is_never_exceeded_and_costs_nobody_else_anything(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, tenant_bytes=20_000) as replica:
            rival = make_key(tenant="rival")
            await replica.read(rival)
            replica.platform.value = "x" * 2000
            for number in range(50):
                await replica.read(make_key(f"{number:02}"))
                assert sum(map(len, entries(valkey).values())) < 25_000
            assert await replica.keeps(rival)
            kept = [number for number in range(50) if await replica.keeps(make_key(f"{number:02}"))]
            assert kept == [46, 47, 48, 49]

    async def test_counts_a_replaced_entry_once_and_expired_ones_no_more(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, tenant_bytes=20_000) as replica:
            replica.platform.value = "x" * 2000
            for _ in range(10):
                await replica.read(no_cache=True)
            replica.platform.windows = type(replica.platform.windows)(0.05, 0, 0)
            for name in "bcd":
                await replica.read(make_key(name))
            await eventually(lambda: len(entries(valkey)) == 1)
            replica.platform.windows = type(replica.platform.windows)(60, 0, 0)
            for name in "efg":
                await replica.read(make_key(name))
            assert len(entries(valkey)) == 4

    async def test_begins_anew_when_its_index_is_evicted(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, tenant_bytes=20_000) as replica:
            replica.platform.value = "x" * 2000
            for pattern in ("umail:cache:index:*[0-9a-f]", "umail:cache:index:*:bytes"):
                for number in range(8):
                    await replica.read(make_key(f"{number}"), no_cache=True)
                with valkey.client() as client:
                    client.delete(*client.keys(pattern))
                await replica.read(make_key("f"), no_cache=True)
                assert await replica.keeps(make_key("f"))


class TestWhatIsNotBelieved:
    async def test_an_entry_that_was_changed(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            await replica.read()
            overwrite(valkey, {key: text[:-1] + bytes([text[-1] ^ 1]) for key, text in entries(valkey).items()})
            assert await replica.read() == ("v1", CacheOutcome.MISS)
            assert set(replica.observer.failures) == {"decrypt"}
            assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_entries_that_changed_places(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            keys = make_key("a"), make_key("b"), make_key("a", tenant="rival")
            for key in keys:
                replica.platform.value = f"{key.tenant} {key.digest[0]}"
                await replica.read(key)
            stored = entries(valkey)
            assert len(stored) == 3
            overwrite(valkey, dict(zip(stored, [*stored.values()][1:] + [*stored.values()][:1], strict=True)))
            replica.platform.value = "new"
            for key in keys:
                assert await replica.read(key) == ("new", CacheOutcome.MISS)

    async def test_an_entry_of_another_master_key(self, valkey: ValkeyServer) -> None:
        foreign = replica_of(valkey, master_key=MasterKey(bytes(32)))
        async with replica_of(valkey) as replica, foreign as other:
            await replica.read()
            [(key, sealed)] = entries(valkey).items()
            assert await other.read() == ("v1", CacheOutcome.MISS)
            [theirs] = set(entries(valkey)) - {key}
            overwrite(valkey, {theirs: sealed})
            assert await other.read() == ("v1", CacheOutcome.MISS)
            assert set(other.observer.failures) == {"decrypt"}


class TestReleases:
    async def test_two_do_not_read_each_others_entries_but_obey_each_others_writes(
        self, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform = Platform(Clock())
        async with replica_of(valkey, platform) as old, replica_of(valkey, platform) as new:
            await old.read()
            monkeypatch.setattr(valkey_store, "FORMAT", b"next")
            assert await new.read() == ("v1", CacheOutcome.MISS)
            assert await new.read() == ("v1", CacheOutcome.HIT)
            await write(new, "v2")
            monkeypatch.undo()
            assert await old.read() == ("v2", CacheOutcome.MISS)
            await write(old, "v3")
            monkeypatch.setattr(valkey_store, "FORMAT", b"next")
            assert await new.read() == ("v3", CacheOutcome.MISS)


class TestRoundTrips:
    async def test_one_for_a_hit(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            await replica.read()
            with valkey.client() as client:
                before = scripts_run(client)
                assert await replica.read() == ("v1", CacheOutcome.HIT)
                assert scripts_run(client) - before == 1

    async def test_a_burst_of_reads_is_no_burst_of_connections(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            with valkey.client() as client:
                before = client.info("stats")["total_connections_received"]
                keys = [make_key(tenant=f"tenant-{number}") for number in range(1000)]
                readings = [replica.reading(key) for key in keys]
                assert {await each for each in readings} == {("v1", CacheOutcome.MISS)}
                assert client.info("stats")["total_connections_received"] - before < 20
            assert {await replica.read(key) for key in keys} == {("v1", CacheOutcome.HIT)}
            assert replica.observer.failures == []


class TestWithoutTheStore:
    async def test_reads_and_writes_go_on(self, server: ValkeyServer) -> None:
        server.stop()
        async with replica_of(server) as replica:
            for value in ("v1", "v2"):
                await write(replica, value)
                served = await replica.cache.read(make_key(), replica.platform.fetch)
                assert (served.entry.body.decode(), served.outcome, served.stored) == (value, CacheOutcome.MISS, False)
            await replica.cache.purge()

    async def test_reads_share_only_a_fetch_that_has_not_begun(self, server: ValkeyServer) -> None:
        server.stop()
        async with replica_of(server) as replica:
            replica.platform.gate.clear()
            first = replica.reading()
            await until(lambda: replica.platform.calls == 1)
            # Somebody else's write, of which nobody can tell this replica.
            replica.platform.value = "v2"
            others = [replica.reading() for _ in range(100)]
            await eventually(lambda: len(asyncio.all_tasks()) > 100)
            replica.platform.gate.set()
            assert await first == ("v1", CacheOutcome.MISS)
            answers = [await each for each in others]
            assert {value for value, _ in answers} == {"v2"}
            assert [outcome for _, outcome in answers].count(CacheOutcome.MISS) == 1
            assert replica.platform.calls == 2

    async def test_nobody_waits_long_for_the_fetch_before(self, server: ValkeyServer) -> None:
        server.stop()
        async with replica_of(server) as replica:
            replica.platform.gate.clear()
            readings = [replica.reading(), replica.reading()]
            await eventually(lambda: replica.platform.calls == 2)
            replica.platform.gate.set()
            assert {(await each)[0] for each in readings} == {"v1"}

    async def test_a_store_that_hangs_keeps_a_read_waiting_once(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=0.1) as replica:
            await replica.read()
            server.pause()
            for _ in range(2):
                assert await replica.read() == ("v1", CacheOutcome.MISS)
            assert replica.observer.failures[0] == "read"
            assert len(replica.observer.failures) == 1
            server.resume()
            await working(replica, "v1")


class TestAfterAnOutage:
    async def test_what_a_missed_write_changed_is_served_by_nobody(self, server: ValkeyServer) -> None:
        platform = Platform(Clock())
        async with replica_of(server, platform) as one, replica_of(server, platform) as other:
            await one.read()
            server.stop(keep=True)
            await other.read()
            await write(one, "v2")
            server.start()
            await asyncio.gather(working(one, "v2"), working(other, "v2"))

    async def test_nor_after_a_hang(self, server: ValkeyServer) -> None:
        platform = Platform(Clock())
        first, second = (replica_of(server, platform, timeout=0.1) for _ in range(2))
        async with first as one, second as other:
            await one.read()
            server.pause()
            await asyncio.gather(one.read(), other.read())
            await write(one, "v2")
            server.resume()
            await asyncio.gather(working(one, "v2"), working(other, "v2"))

    async def test_what_was_valid_before_the_store_went_back_in_time_is_not_served(self, server: ValkeyServer) -> None:
        platform = Platform(Clock())
        async with replica_of(server, platform) as one, replica_of(server, platform) as unaware:
            await one.read()
            await unaware.read()
            with server.client() as client:
                client.save()
            await write(one, "v2")
            await one.read()
            server.crash()
            server.start()
            await working(unaware, "v2")
            await working(one, "v2")

    async def test_other_tenants_keep_their_entries(self, server: ValkeyServer) -> None:
        rival = make_key(tenant="rival")
        async with replica_of(server, timeout=0.1) as replica:
            await replica.read(rival)
            server.pause()
            await write(replica, "v2")
            server.resume()
            await working(replica, "v2")
            assert await replica.keeps(rival)

    async def test_many_missed_tenants_are_bounded(self, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(valkey_store, "_MOST_MISSED", 3)
        keys = [make_key(tenant=f"tenant-{number}") for number in range(6)]
        async with replica_of(server, timeout=0.1) as replica:
            for key in keys:
                await replica.read(key)
            server.pause()
            for key in keys:
                async with replica.cache.changing(key.tenant, key.tags, 5):
                    pass
            assert isinstance(replica.store, ValkeyStore)
            assert len(replica.store._missed) == 4
            server.resume()
            await eventually(lambda: recovered(replica))
            assert not any([await replica.keeps(key) for key in keys])


class TestAFullStore:
    async def test_that_may_not_evict_serves_what_it_has_and_obeys_writes(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
            with server.client() as client:
                client.config_set("maxmemory", 1)
            assert await replica.read() == ("v1", CacheOutcome.HIT)
            await write(replica, "v2")
            assert await replica.read() == ("v2", CacheOutcome.MISS)
            with server.client() as client:
                client.config_set("maxmemory", 0)
            await working(replica, "v2")

    async def test_that_evicts_goes_on(self, server: ValkeyServer) -> None:
        async with replica_of(server, tenant_bytes=100_000_000) as replica:
            with server.client() as client:
                client.config_set("maxmemory-policy", "allkeys-lru")
                client.config_set("maxmemory", client.info("memory")["used_memory"] + 1_000_000)
            replica.platform.value = "x" * 20_000
            for number in range(200):
                key = make_key(f"{number:03}", tenant=f"tenant-{number % 5}")
                assert await replica.read(key) == (replica.platform.value, CacheOutcome.MISS)
                await write(replica, replica.platform.value)
            assert replica.observer.failures == []
            with server.client() as client:
                assert client.info("stats")["evicted_keys"] > 0


@pytest.mark.parametrize(
    ("policy", "bound", "warned"), [("noeviction", 0, True), ("noeviction", 9, False), ("allkeys-lru", 0, False)]
)
async def test_a_store_without_any_bound_is_warned_of(
    server: ValkeyServer, policy: str, bound: int, warned: bool
) -> None:
    async with connect(server.url, timeout=5.0) as client:
        await client.config_set("maxmemory-policy", policy)
        await client.config_set("maxmemory", bound)
        with capture_logs() as logs:
            await warn_if_unbounded(client)
        assert [line["event"] for line in logs] == ["state_store_unbounded"] * warned
        server.stop()
        await warn_if_unbounded(client)
