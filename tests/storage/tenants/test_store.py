"""Looking tenants up in a database that others change."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, insert, text

from app.errors import StateUnavailable
from app.storage.database.database import Database
from app.storage.database.schema import api_keys, tenants
from app.storage.tenants.models import TenantPatch
from app.storage.tenants.rows import tenant_columns
from app.storage.tenants.store import DatabaseTenantStore
from app.telemetry.logs import configure_logging
from app.tenants.store import hash_key
from app.tenants.vault import MasterKeys, Vault
from tests.support.clocks import Clock
from tests.support.tenant_databases import NEW, OLD, READ, keyless, opened_store, secret

MANY = 10_000


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what another replica, or the time, brings about."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - a change in a database is no event of this loop
            await asyncio.sleep(0.01)


@asynccontextmanager
async def replicas(url: str) -> AsyncIterator[tuple[DatabaseTenantStore, DatabaseTenantStore]]:
    """Open two stores on one database, whose time stands still: what they remember ends by changes alone."""
    async with opened_store(url, monotonic=Clock()) as one, opened_store(url, monotonic=Clock()) as other:
        yield one, other


async def stock(store: DatabaseTenantStore, tenant_id: str = "acme") -> str:
    """Add a tenant with a key and return the key."""
    await store.repository.add(keyless(tenant_id))
    return (await store.repository.create_key(tenant_id, READ)).key.get_secret_value()


async def key_id_of(store: DatabaseTenantStore) -> str:
    """Return the id of the only key."""
    return (await store.repository.list_keys()).items[0].id


@contextmanager
def counted(table: str) -> Iterator[list[str]]:
    """Collect the statements of all databases that name a table."""
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if table in statement:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


class TestReplicas:
    async def test_a_revoked_key_stops_in_both(self, database_url: str) -> None:
        async with replicas(database_url) as (one, other):
            key = await stock(one)
            assert await other.identify(key) is not None
            assert await one.identify(key) is not None
            await one.repository.revoke_key("acme", await key_id_of(one))
            assert await one.identify(key) is None

            async def gone() -> bool:
                return await other.identify(key) is None

            await eventually(gone)

    async def test_a_disabled_tenant(self, database_url: str) -> None:
        async with replicas(database_url) as (one, other):
            key = await stock(one)
            before = await other.identify(key)
            assert before is not None
            await one.repository.update("acme", TenantPatch(enabled=False))
            here = await one.identify(key)
            assert here is not None
            assert not here.tenant.enabled

            async def disabled() -> bool:
                identity = await other.identify(key)
                return identity is not None and not identity.tenant.enabled

            await eventually(disabled)

    async def test_a_key_that_was_unknown_is_made(self, database_url: str) -> None:
        async with replicas(database_url) as (one, other):
            await one.repository.add(keyless())
            assert await other.find("rival") is None
            await stock(one, "rival")

            async def found() -> bool:
                return await other.find("rival") is not None

            await eventually(found)

    async def test_a_deleted_tenant_that_comes_back_has_its_new_login(self, database_url: str) -> None:
        async with replicas(database_url) as (one, other):
            key = await stock(one)
            assert await other.identify(key) is not None
            await one.repository.delete("acme")
            assert await one.identify(key) is None
            await one.repository.add(keyless(password="another"))

            async def gone() -> bool:
                return await other.identify(key) is None

            await eventually(gone)
            for store in (one, other):
                tenant = await store.find("acme")
                assert tenant is not None
                assert tenant.upstream.password == secret("another")

    async def test_more_changes_than_are_read_at_once(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.storage.tenants.lookups._MOST_CHANGES", 2)
        async with replicas(database_url) as (one, other):
            keys = [await stock(one, f"t{number}") for number in range(5)]

            async def known() -> bool:
                return all([await other.identify(key) is not None for key in keys])

            await eventually(known)
            for number in range(5):
                await one.repository.delete(f"t{number}")

            async def forgotten() -> bool:
                return not any([await other.identify(key) is not None for key in keys])

            await eventually(forgotten)


class TestRemembering:
    # Nothing looks for changes meanwhile, which would also find those made here and have their tenants read again.

    async def test_a_known_key_needs_no_query(self, database_url: str) -> None:
        async with opened_store(database_url, interval=60) as store:
            key = await stock(store)
            with counted("api_keys") as statements:
                for _ in range(5):
                    assert await store.identify(key) is not None
                    assert await store.identify("unknown") is None
            assert len(statements) == 2

    async def test_who_asks_together_asks_once(self, database_url: str) -> None:
        async with opened_store(database_url, interval=60) as store:
            key = await stock(store)
            with counted("api_keys") as statements:
                identities = await asyncio.gather(*(store.identify(key) for _ in range(20)))
            assert len(statements) == 1
            assert all(identity is identities[0] for identity in identities)

    async def test_one_who_leaves_takes_no_other_along(self, database_url: str) -> None:
        async with opened_store(database_url, interval=60) as store:
            key = await stock(store)
            leaving, staying = (asyncio.ensure_future(store.identify(key)) for _ in range(2))
            await asyncio.sleep(0)
            leaving.cancel()
            assert await staying is not None

    async def test_an_unchanged_tenant_stays_the_same_object(self, database_url: str) -> None:
        async with opened_store(database_url, interval=60) as store:
            await stock(store)
            before = await store.find("acme")
            await store.repository.create_key("acme", READ)
            assert await store.find("acme") is before
            await store.repository.update("acme", TenantPatch(name="Other"))
            after = await store.find("acme")
            assert after is not before
            assert after is not None
            assert after.name == "Other"

    async def test_what_changes_during_a_lookup_is_not_remembered_as_it_was(self, tmp_path: Path) -> None:
        async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}", interval=60) as store:
            key = await stock(store)
            looking = asyncio.ensure_future(store.identify(key))
            await asyncio.sleep(0)
            await store.repository.revoke_key("acme", await key_id_of(store))
            await looking
            assert await store.identify(key) is None

    async def test_little_is_remembered_where_little_may_be(self, tmp_path: Path) -> None:
        async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}", interval=60, most=2) as store:
            keys = [await stock(store, f"t{number}") for number in range(4)]
            await store.repository.create_key("t3", READ)
            for _ in range(2):
                for key in keys:
                    assert await store.identify(key) is not None
                for number in range(4):
                    assert await store.identify(f"unknown {number}") is None
            remembered = store._remembered
            assert len(remembered._answers) == len(remembered._unknown) == len(remembered._versions) == 2
            assert sum(map(len, remembered._asked.values())) == 2

    async def test_that_nobody_has_a_key_is_remembered_for_a_while(self, tmp_path: Path) -> None:
        clock = Clock()
        async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}", monotonic=clock, interval=60) as store:
            assert await store.identify("unknown") is None
            with counted("api_keys") as statements:
                assert await store.identify("unknown") is None
                clock.now += 6
                assert await store.identify("unknown") is None
            assert len(statements) == 1

    async def test_before_and_after_running_everything_is_asked(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
        store = DatabaseTenantStore(database, Vault(MasterKeys(OLD)), interval=60)
        async with database.running():
            async with store.running():
                key = await stock(store)
                assert await store.identify(key) is not None
            with counted("api_keys") as statements:
                assert await store.identify(key) is not None
                assert await store.identify(key) is not None
            assert len(statements) == 2


class TestOutages:
    async def test_what_is_known_stays_valid_for_a_while(self, tmp_path: Path) -> None:
        clock = Clock()
        stream = StringIO()
        configure_logging("INFO", stream)
        url = f"sqlite:///{tmp_path / 'gateway.db'}"
        async with opened_store(url, monotonic=clock, interval=0.01) as store:
            key = await stock(store)

            async def followed() -> bool:
                return store._seen == 2

            await eventually(followed)
            assert await store.identify(key) is not None
            with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
                for table in ("api_keys", "tenants", "tenant_changes"):
                    other.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")

                async def noticed() -> bool:
                    return "tenant_changes_unknown" in stream.getvalue()

                await eventually(noticed)
                clock.now += 59
                assert await store.identify(key) is not None
                with pytest.raises(StateUnavailable, match="Nothing was sent"):
                    await store.identify("unknown")
                with pytest.raises(StateUnavailable):
                    await store.find("rival")
                clock.now += 2
                with pytest.raises(StateUnavailable) as caught:
                    await store.identify(key)
                assert caught.value.headers == {"Retry-After": "2"}
                assert key not in stream.getvalue()
                for table in ("api_keys", "tenants", "tenant_changes"):
                    other.execute(f"ALTER TABLE {table}_gone RENAME TO {table}")
            assert await store.identify(key) is not None
            assert stream.getvalue().count("tenant_changes_unknown") == 1

    async def test_no_failure_ends_the_following(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}", interval=0.01) as store:
            # More than SQLite can compare with.
            seen, store._seen = store._seen, 2**80

            async def noticed() -> bool:
                return "tenant_changes_unknown" in stream.getvalue()

            await eventually(noticed)
            store._seen = seen
            await stock(store)

            async def followed() -> bool:
                return store._seen > seen

            await eventually(followed)

    async def test_a_secret_that_cannot_be_read(self, database_url: str) -> None:
        database = Database(database_url)
        async with opened_store(database_url) as store, database.running():
            key = await stock(store)
            async with database.transaction() as connection:
                await connection.execute(text("UPDATE tenants SET master_key = 'other'"))
            with pytest.raises(StateUnavailable):
                await store.identify(key)


class TestUsage:
    async def test_the_last_use_is_written_down_by_and_by(self, database_url: str) -> None:
        async with opened_store(database_url, flush_interval=0.01) as store:
            key = await stock(store)
            began = datetime.now(UTC)
            with counted("UPDATE api_keys") as statements:
                for _ in range(3):
                    assert await store.identify(key) is not None

                async def written() -> bool:
                    return (await store.repository.list_keys()).items[0].last_used_at is not None

                await eventually(written)
                assert await store.identify(key) is not None
                await store._usage.flush()
            assert len(statements) == 1
            used = (await store.repository.list_keys()).items[0].last_used_at
            assert used is not None
            assert timedelta() <= used - began + timedelta(seconds=1) < timedelta(minutes=2)

    async def test_what_is_left_is_written_at_the_end(self, database_url: str) -> None:
        async with opened_store(database_url) as store:
            assert await store.identify(await stock(store)) is not None
        async with opened_store(database_url) as store:
            assert (await store.repository.list_keys()).items[0].last_used_at is not None

    async def test_a_use_that_cannot_be_written_down(self, tmp_path: Path) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}") as store:
            assert await store.identify(await stock(store)) is not None
            with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
                other.execute("ALTER TABLE api_keys RENAME TO gone")
        assert "key_usage_not_written" in stream.getvalue()


async def test_ten_thousand_tenants_are_not_loaded_at_start(database_url: str) -> None:
    database, vault = Database(database_url, timeout=60), Vault(MasterKeys(OLD))
    moment = {"created_at": datetime.now(UTC), "updated_at": datetime.now(UTC), "revision": 1}
    async with database.running(), database.transaction() as connection:
        columns = tenant_columns(keyless(), vault)
        rows = [{**columns, "id": f"t{number}", **moment} for number in range(MANY)]
        await connection.execute(insert(tenants), rows)
        keys = [
            {"tenant": f"t{n}", "id": "web", "prefix": "", "sha256": hash_key(f"key {n}"), "scopes": [], "networks": []}
            for n in range(MANY)
        ]
        await connection.execute(insert(api_keys), [{**key, "created_at": moment["created_at"]} for key in keys])
    with counted("FROM tenants") as statements:
        async with opened_store(database_url) as store:
            assert statements == []
            await store.repository.add(keyless())
            assert await store.find("acme") is not None
            assert await store.find("nobody") is None


async def test_another_master_key_does_not_start(database_url: str) -> None:
    async with opened_store(database_url) as store:
        await stock(store)
    with pytest.raises(Exception, match=f"master key {OLD.id}, which is not configured"):
        async with opened_store(database_url, NEW):
            raise AssertionError("it started")
    async with opened_store(database_url, NEW, OLD) as store:
        tenant = await store.find("acme")
        assert tenant is not None
        assert tenant.upstream.password == secret("tenant-password")
