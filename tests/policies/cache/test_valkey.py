"""What the cache keeps in Valkey, and what it makes of what it finds there."""

from app.policies.cache.model import Outcome
from app.tenants.master_keys import MasterKey
from tests.policies.cache.conftest import Replica, make_place, replica_of, scripts_run
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


class TestWhatStandsThere:
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

    async def test_an_entry_lives_as_long_as_it_is_of_use_and_its_tokens_no_shorter(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            await replica.read(make_place("a"))
            replica.platform.found = False
            await replica.read(make_place("b"))
            with valkey.client() as client:
                lives = sorted(round(client.pttl(name) / 1000) for name in client.keys(ENTRIES))
                assert lives == [60, 360]
                assert min(client.pttl(name) for name in client.keys("umail:cache:t*")) > 360_000

    async def test_tokens_live_as_long_as_a_long_lived_entry(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            replica.platform.windows = type(replica.platform.windows)(86_400, 0, 0)
            await replica.read()
            with valkey.client() as client:
                lives = [client.pttl(name) for name in client.keys("umail:cache:[et]*")]
                assert len(lives) == 5
            assert min(lives) > 86_000_000
            await replica.read()

    async def test_writers_leave_nothing_behind(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica, replica.cache.changing("acme", ["lists"], 5):
            with valkey.client() as client:
                [mark] = client.keys("umail:cache:writers:*")
                assert 4000 < client.pttl(mark) <= 5000
        with valkey.client() as client:
            assert client.keys("umail:cache:writers:*") == []

    async def test_too_large_an_answer_is_not_stored(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, largest=2000) as replica:
            replica.platform.value = "x" * 2000
            for _ in range(2):
                served = await replica.cache.read(make_place(), replica.platform.fetch)
                assert (served.outcome, served.stored) == (Outcome.MISS, False)
            await replica.read(no_cache=True)
        assert entries(valkey) == {}
        with valkey.client() as client:
            assert client.keys("umail:cache:lock:*") == []


class TestWhatIsNotBelieved:
    async def test_an_entry_that_was_changed(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, local_bytes=0) as replica:
            await replica.read()
            overwrite(valkey, {key: text[:-1] + bytes([text[-1] ^ 1]) for key, text in entries(valkey).items()})
            assert await replica.read() == ("v1", Outcome.MISS)
            assert set(replica.observer.failures) == {"decrypt"}
            assert await replica.read() == ("v1", Outcome.HIT)

    async def test_entries_that_changed_places(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, local_bytes=0) as replica:
            places = make_place("a"), make_place("b"), make_place("a", tenant="rival")
            for place in places:
                replica.platform.value = f"{place.tenant} {place.key[0]}"
                await replica.read(place)
            stored = entries(valkey)
            assert len(stored) == 3
            overwrite(valkey, dict(zip(stored, [*stored.values()][1:] + [*stored.values()][:1], strict=True)))
            replica.platform.value = "new"
            for place in places:
                assert await replica.read(place) == ("new", Outcome.MISS)

    async def test_an_entry_of_another_master_key(self, valkey: ValkeyServer) -> None:
        foreign = replica_of(valkey, master_key=MasterKey(bytes(32)), local_bytes=0)
        async with replica_of(valkey) as replica, foreign as other:
            await replica.read()
            [(key, sealed)] = entries(valkey).items()
            assert await other.read() == ("v1", Outcome.MISS)
            [theirs] = set(entries(valkey)) - {key}
            overwrite(valkey, {theirs: sealed})
            assert await other.read() == ("v1", Outcome.MISS)
            assert set(other.observer.failures) == {"decrypt"}


class TestRoundTrips:
    async def test_one_for_a_lookup_and_one_for_each_end_of_a_write(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, local_bytes=0) as replica:
            await replica.read()
            with valkey.client() as client:
                before = scripts_run(client)
                assert await replica.read() == ("v1", Outcome.HIT)
                assert scripts_run(client) - before == 1
                before = scripts_run(client)
                async with replica.cache.changing("acme", ["lists", "contacts"], 5):
                    assert scripts_run(client) - before == 1
                assert scripts_run(client) - before == 2

    async def test_none_for_what_the_process_holds(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            await replica.read()
            with valkey.client() as client:
                before = scripts_run(client)
                served = replica.cache.find_local(make_place())
                assert served is not None
                assert not served.shared
                assert await replica.read() == ("v1", Outcome.HIT)
                assert scripts_run(client) == before

    async def test_reads_at_the_same_time_share_a_lookup(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, local_bytes=0) as replica:
            await replica.read()
            with valkey.client() as client:
                before = scripts_run(client)
                readings = [replica.reading() for _ in range(100)]
                assert {await each for each in readings} == {("v1", Outcome.HIT)}
                assert scripts_run(client) - before == 1

    async def test_a_burst_of_different_reads_is_no_burst_for_the_store(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            with valkey.client() as client:
                before = client.info("stats")["total_connections_received"]
                places = [make_place(tenant=f"tenant-{number}") for number in range(1000)]
                readings = [replica.reading(place) for place in places]
                assert {await each for each in readings} == {("v1", Outcome.MISS)}
                assert client.info("stats")["total_connections_received"] - before < 100
            assert {await replica.read(place) for place in places} == {("v1", Outcome.HIT)}
            assert replica.observer.failures == []

    async def test_a_server_that_forgot_the_scripts_is_told_again(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey, local_bytes=0) as replica:
            await replica.read()
            with valkey.client() as client:
                client.script_flush()
            assert await replica.read() == ("v1", Outcome.HIT)
            assert replica.observer.failures == []


async def test_evicted_tokens_do_not_come_back(valkey: ValkeyServer) -> None:
    async with replica_of(valkey, local_bytes=0) as replica:
        await replica.read()
        with valkey.client() as client:
            client.delete(*client.keys("umail:cache:tag:*"))
        assert await replica.read() == ("v1", Outcome.MISS)


async def test_a_cache_that_is_not_running_keeps_nothing(valkey: ValkeyServer) -> None:
    replicas: list[Replica] = []
    async with replica_of(valkey) as replica:
        await replica.read()
        replicas.append(replica)
    assert replicas[0].cache.find_local(make_place()) is None
    assert await replicas[0].read() == ("v1", Outcome.MISS)
    async with replicas[0].cache.changing("acme", ["lists"], 5):
        pass
