"""The schema and the steps that lead there."""

import asyncio
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, create_engine, text

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.event_schema import metadata
from app.storage.database.statements import serialize
from app.storage.writes.models import DuplicateKey
from app.storage.writes.store import WriteStore
from app.tenants.vault import MasterKey
from tests.support.attempts import make_attempt
from tests.support.postgres import Databases

ROOT = Path(__file__).parents[3]


def differences(connection: Connection) -> list[object]:
    """Return how the database differs from the schema in the code."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


async def test_the_steps_lead_to_the_schema(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_former_release_is_brought_here_with_its_data(database_url: str) -> None:
    database = Database(database_url)
    await asyncio.to_thread(make_former, database_url)
    async with database.running(), database.transaction() as connection:
        assert await connection.run_sync(differences) == []
        assert (await connection.execute(text("SELECT count(*) FROM sends"))).scalar() == len(FORMER)
    async with database.running():
        store = WriteStore(database, MasterKey.random())
        for state, shown in FORMER.items():
            attempt = (await store.find("acme", state)).attempt
            assert attempt is not None
            assert (attempt.state, attempt.request, attempt.created_at) == (shown, {"list_id": 5}, MOMENT)
        with pytest.raises(DuplicateKey):
            await store.begin(make_attempt(idempotency_key="confirmed"))
        assert await store.begin(make_attempt(idempotency_key="refused")) is not None


MOMENT = datetime(2026, 3, 2, 9, 30, 0, 125, tzinfo=UTC)
FORMER = {"pending": "unknown", "confirmed": "confirmed", "refused": "refused", "unknown": "unknown"}
"""States of attempts in the former release's journal, and how they are seen now that their processes are gone."""


def make_former(url: str) -> None:
    """Make a database as the former release left it."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "app.storage.database:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        sends = Table("sends", MetaData(), autoload_with=connection)
        for state in FORMER:
            row: dict[str, Any] = {
                "id": state,
                "tenant": "acme",
                "operation": "campaigns.create",
                "idempotency_key": state,
            }
            row |= {"operation": "campaigns.create", "fingerprint": state}
            row |= {"request": {"list_id": 5}, "request_id": "r", "state": state}
            moment = MOMENT if "postgres" in url else MOMENT.replace(tzinfo=None)
            connection.execute(sends.insert().values(**row, created_at=moment, updated_at=moment))
    engine.dispose()


async def test_a_difference_would_be_seen(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        await connection.execute(text("DROP INDEX sends_reference_key"))
        assert len(await connection.run_sync(differences)) == 1


async def test_a_second_start_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        await connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    async with database.running(), database.transaction() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM kept"))).scalar() == 0


async def test_a_newer_database_is_refused(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"newer version of the gateway: step 9999 is not known"):
        async with database.running():
            raise AssertionError("it started")


async def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
        await connection.execute(text("DROP INDEX sends_id_key"))
    with pytest.raises(DatabaseError, match="already exists"):
        async with database.running():
            raise AssertionError("it started")


async def test_processes_that_start_together(database_url: str) -> None:
    script = str(Path(__file__).with_name("starting.py"))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            script,
            database_url,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]
    try:
        results = await asyncio.gather(*(process.communicate() for process in processes))
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
    assert [result for result in results if result != (b"0006\n", b"")] == []


def test_every_step_follows_another() -> None:
    versions = ROOT / "app/storage/database/migrations/versions"
    names = sorted(path.name[:4] for path in versions.glob("[0-9]*.py"))
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]


async def test_a_start_waits_for_another_ones_migrations(postgres: Databases) -> None:
    url = postgres.make()
    first, second = Database(url), Database(url, start_timeout=0.5)
    async with first.running():
        async with first.transaction() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        await _starts_not_while_migrating(first, second)


async def _starts_not_while_migrating(first: Database, second: Database) -> None:
    async with first.transaction() as connection:
        await serialize(connection, ("migrations",))
        with pytest.raises(DatabaseError, match="does not answer in time"):
            async with second.running():
                raise AssertionError("it started")
