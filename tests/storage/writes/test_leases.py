"""What is held alone, in each kind of database."""

import asyncio

import pytest

from app.errors import StateUnavailable
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.writes import leases
from app.storage.writes.leases import ProcessLease
from app.storage.writes.store import WriteStore
from tests.storage.writes.conftest import Stores, opened_store

NAME = ("campaign", "acme", 7)


def holders() -> Steps[dict[str, str]]:
    (found,) = yield [Statement("SELECT name, holder FROM leases")]
    return dict(found)


async def test_of_many_one_at_a_time(stores: Stores) -> None:
    inside, most, done = 0, 0, 0

    async def enter(store: WriteStore) -> None:
        nonlocal inside, most, done
        async with store.holding(*NAME, wait=20) as held:
            held.ensure()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done += 1

    await asyncio.gather(*(enter(store) for store in (stores.one, stores.other) * 5))
    assert (most, done) == (1, 10)


async def test_other_names_do_not_wait(stores: Stores) -> None:
    async with (
        stores.one.holding(*NAME, wait=0),
        stores.one.holding("campaign", "acme", 8, wait=0),
        stores.other.holding("campaign", "rival", 7, wait=0),
    ):
        pass


@pytest.mark.parametrize("same_process", [True, False])
async def test_who_waits_too_long_is_refused(stores: Stores, same_process: bool) -> None:
    async with stores.one.holding(*NAME, wait=1):
        with pytest.raises(StateUnavailable) as refused:
            async with (stores.one if same_process else stores.other).holding(*NAME, wait=0.05):
                raise AssertionError("it was held twice")
        assert refused.value.headers["Retry-After"] == "2"
    async with stores.other.holding(*NAME, wait=1):
        pass


async def test_what_fails_inside_lets_go(stores: Stores) -> None:
    with pytest.raises(LookupError):
        async with stores.one.holding(*NAME, wait=1):
            raise LookupError
    async with stores.other.holding(*NAME, wait=0):
        assert "/".join(map(str, NAME)) in await stores.other.reading(holders)


async def test_what_a_dead_process_held_passes_on(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), opened_store(database_url) as store:
        dead = ProcessLease(database, seconds=0.3)
        holding = dead.holding(*NAME, wait=1)
        held = await holding.__aenter__()
        held.ensure()
        await dead.stop()
        async with store.holding(*NAME, wait=5):
            with pytest.raises(StateUnavailable):
                held.ensure()
            # Letting go late takes nothing from who has it now.
            await holding.__aexit__(None, None, None)
            assert (await store.reading(holders))["/".join(map(str, NAME))] != dead.holder


async def test_a_process_renews_while_it_holds_something(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), opened_store(database_url) as store:
        living = ProcessLease(database, seconds=0.6)
        async with living.holding(*NAME, wait=1) as held:
            with pytest.raises(StateUnavailable):
                async with store.holding(*NAME, wait=1.5):
                    raise AssertionError("it was held twice")
            held.ensure()
        await living.stop()
        assert not [name for name in await store.reading(holders) if name.startswith("campaign/")]


async def test_ended_leases_are_swept(database_url: str) -> None:
    sql = "INSERT INTO leases (name, holder, expires_at) VALUES (:name, 'x', {now} + :seconds)"

    def some() -> Steps[None]:
        yield [Statement(sql, {"name": str(number), "seconds": -1 if number else 60}) for number in range(4)]

    database = Database(database_url)
    async with database.running():
        await database.write(some)
        assert [await database.write(lambda: leases.expired(2)) for _ in range(3)] == [2, 1, 0]
        assert list(await database.read(holders)) == ["0"]
