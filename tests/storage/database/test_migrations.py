"""The schema and the steps that lead there."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.migrating import upgrade
from app.storage.database.revisions import newest_revision
from app.storage.database.schema import metadata
from app.storage.database.serializing import serialize
from tests.support.postgres import Databases

ROOT = Path(__file__).parents[3]


def differences(connection: Connection) -> list[object]:
    """Return how the database differs from the schema in the code."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


async def test_the_steps_lead_to_the_schema(database_url: str) -> None:
    database = Database(database_url)
    async with database.running(), database.transaction() as connection:
        assert await connection.run_sync(differences) == []


def described(engine: Engine) -> dict[str, object]:
    """Return everything a database's tables are made of."""
    with engine.connect() as connection:
        found = inspect(connection)
        return {
            table: (
                {str(column["name"]): f"{column}" for column in found.get_columns(table)},
                found.get_pk_constraint(table),
                found.get_foreign_keys(table),
                {str(index["name"]): _plain(index) for index in found.get_indexes(table)},
            )
            for table in found.get_table_names()
        }


def _plain(index: Mapping[str, Any]) -> dict[str, Any]:
    """Write out the condition of an index; either operator means the same."""
    return {
        **index,
        "dialect_options": {key: f"{text}".replace("!=", "<>") for key, text in index["dialect_options"].items()},
    }


async def test_a_new_file_is_what_the_steps_make(tmp_path: Path) -> None:
    new, old = (create_engine(f"sqlite:///{tmp_path / name}") for name in ("new.db", "old.db"))
    async with Database(str(new.url)).running():
        pass
    with old.begin() as connection:
        upgrade(connection)
    assert described(new) == described(old)
    assert "state <> 'refused'" in str(described(new)["sends"])
    with new.connect() as ours, old.connect() as theirs:
        steps = text("SELECT * FROM alembic_version")
        assert ours.execute(steps).all() == theirs.execute(steps).all()
    new.dispose()
    old.dispose()


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
    assert [result for result in results if result != (b"0002\n", b"")] == []


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


def test_the_newest_step_is_the_one_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", "app.storage.database:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]
