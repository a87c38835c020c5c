"""Transactions, and databases that cannot be used."""

import asyncio
import gc
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.engine import describe
from app.storage.database.statements import Statement, Steps, serialize
from tests.support.postgres import Databases
from tests.support.proxies import Proxy, proxied
from tests.support.servers import unused_port
from tests.support.sockets import until

COUNT = text("SELECT count(*) FROM marks")
MARK = text("INSERT INTO marks VALUES (1)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A running database with an empty table `marks`."""
    database = Database(database_url)
    async with database.running():
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE marks (number INTEGER)"))
        yield database


async def count(database: Database) -> int:
    """Return how many marks there are."""
    async with database.reading() as connection:
        return int((await connection.execute(COUNT)).scalar_one())


class TestTransactions:
    async def test_are_kept(self, database: Database) -> None:
        async with database.transaction() as connection:
            await connection.execute(MARK)
        assert await count(database) == 1

    async def test_are_undone(self, database: Database) -> None:
        async def fail() -> None:
            async with database.transaction() as connection:
                await connection.execute(MARK)
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert await count(database) == 0

    async def test_run_gives_the_result(self, database: Database) -> None:
        async def work(connection: AsyncConnection) -> str:
            await connection.execute(MARK)
            return "done"

        assert await database.run(work) == "done"
        assert await count(database) == 1

    async def test_run_passes_failures_on_and_undoes(self, database: Database) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(MARK)
            raise LookupError

        with pytest.raises(LookupError):
            await database.run(work)
        assert await count(database) == 0

    async def test_run_is_carried_to_its_end(self, database_url: str) -> None:
        begun, going_on, seen = asyncio.Event(), asyncio.Event(), Database(database_url)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(text("CREATE TABLE marks (number INTEGER)"))
            begun.set()
            await going_on.wait()

        async with seen.running():
            task = asyncio.create_task(seen.run(work))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            asyncio.get_running_loop().call_soon(going_on.set)
        async with seen.running():
            assert await count(seen) == 0

    async def test_a_failure_nobody_waits_for_makes_no_noise(self, database: Database) -> None:
        begun, going_on = asyncio.Event(), asyncio.Event()

        async def work(_connection: AsyncConnection) -> None:
            begun.set()
            await going_on.wait()
            raise LookupError

        noise: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))
        task = asyncio.create_task(database.run(work))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        going_on.set()
        await until(lambda: not database._at_work)
        gc.collect()
        assert noise == []

    async def test_a_cancelled_one_is_undone_and_the_next_works(self, database: Database) -> None:
        begun = asyncio.Event()

        async def work() -> None:
            async with database.transaction() as connection:
                await connection.execute(MARK)
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await count(database) == 0

    async def test_many_at_once(self, database: Database) -> None:
        async def work(connection: AsyncConnection) -> None:
            await serialize(connection, ("marks",))
            present = (await connection.execute(COUNT)).scalar_one()
            await connection.execute(text("INSERT INTO marks VALUES (:number)"), {"number": present})

        await asyncio.gather(*(database.run(work) for _ in range(30)))
        async with database.reading() as connection:
            rows = await connection.execute(text("SELECT number FROM marks ORDER BY number"))
            assert rows.scalars().all() == list(range(30))

    async def test_serializing_in_any_order_blocks_nobody(self, database: Database) -> None:
        names = [("a",), ("b",), ("c",)]

        async def work(connection: AsyncConnection, order: int) -> None:
            await serialize(connection, *names[order:], *names[:order])
            await connection.execute(MARK)

        await asyncio.gather(*(database.run(partial(work, order=number % 3)) for number in range(30)))
        assert await count(database) == 30

    async def test_a_row_that_cannot_be_fails_its_own_transaction_alone(self, database: Database) -> None:
        def lease(name: str) -> Steps[None]:
            yield [Statement("INSERT INTO leases VALUES (:name, 'me', 0) RETURNING name", {"name": name})]

        await database.write(partial(lease, "taken"))
        names = ["one", "taken", "two"]
        writes = [database.write(partial(lease, name)) for name in names]
        one, taken, two = await asyncio.gather(*writes, return_exceptions=True)
        assert (one, two) == (None, None)
        assert isinstance(taken, DatabaseError)

    async def test_need_an_open_database(self, database_url: str) -> None:
        closed = Database(database_url)
        with pytest.raises(DatabaseError, match="not open"):
            await closed.check()

    async def test_a_bad_statement(self, database: Database) -> None:
        with pytest.raises(DatabaseError, match="nowhere") as failed:
            async with database.transaction() as connection:
                await connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "hidden"})
        assert "hidden" not in str(failed.value)


class TestSqlite:
    async def test_the_file_is_private_and_durable(self, sqlite_url: str, tmp_path: Path) -> None:
        database = Database(sqlite_url)
        async with database.running(), database.transaction() as connection:
            settings = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert settings == ["wal", 2, 1, 5000]
        assert stat.S_IMODE((tmp_path / "gateway.db").stat().st_mode) == 0o600

    async def test_relative_to_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        async with Database("sqlite:///here.db").running():
            assert (tmp_path / "here.db").exists()

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("missing/gateway.db", "No such file or directory"),
            ("folder", "unable to open database file"),
            ("text", "file is not a database"),
        ],
    )
    async def test_files_that_cannot_be_used(self, tmp_path: Path, path: str, reason: str) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "text").write_text("This is no database, though it is long enough to be one. " * 20)
        with pytest.raises(DatabaseError, match=reason):
            async with Database(f"sqlite:///{tmp_path / path}").running():
                raise AssertionError("it started")

    async def test_another_process_that_does_not_let_go(self, sqlite_url: str, tmp_path: Path) -> None:
        database = Database(sqlite_url, timeout=0.3)
        async with database.running():
            with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(DatabaseError, match=r"locked|in time"):
                    async with database.transaction():
                        raise AssertionError("it got through")
                await database.check()
            async with database.transaction():
                pass

    async def test_reading_sees_one_state(self, sqlite_url: str, tmp_path: Path) -> None:
        database = Database(sqlite_url)
        async with database.running(), database.reading() as connection:
            present = text("SELECT count(*) FROM alembic_version")
            before = (await connection.execute(present)).scalar()
            with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
                other.execute("DELETE FROM alembic_version")
            assert (await connection.execute(present)).scalar() == before


class TestPostgres:
    @pytest.fixture
    async def proxy(self, postgres: Databases) -> AsyncIterator[tuple[Proxy, str]]:
        """A proxy in front of an empty database, and the database's URL by way of it."""
        url = make_url(postgres.make())
        folder = str(url.query["host"])
        async with proxied(Path(folder) / ".s.PGSQL.5432") as proxy:
            yield proxy, f"postgresql://postgres@127.0.0.1:{proxy.port}/{url.database}"

    async def test_nothing_listens(self) -> None:
        port = unused_port()
        with pytest.raises(DatabaseError, match="refused") as failed:
            async with Database(f"postgresql://user:pa55word@127.0.0.1:{port}/name").running():
                raise AssertionError("it started")
        assert "\n" not in str(failed.value)
        assert "pa55word" not in str(failed.value)

    async def test_no_such_database(self, postgres: Databases) -> None:
        url = make_url(postgres.make()).set(database="absent").render_as_string(hide_password=False)
        with pytest.raises(DatabaseError, match='database "absent" does not exist'):
            async with Database(url).running():
                raise AssertionError("it started")

    async def test_a_silent_server_at_the_start(self, proxy: tuple[Proxy, str]) -> None:
        silent, url = proxy
        silent.hush()
        with pytest.raises(DatabaseError, match="in time"):
            async with Database(url, start_timeout=0.2).running():
                raise AssertionError("it started")

    async def test_a_server_that_falls_silent(self, proxy: tuple[Proxy, str]) -> None:
        silent, url = proxy
        database = Database(url, timeout=0.2, check_timeout=0.2)
        async with database.running():
            silent.hush()
            async with asyncio.timeout(2):
                with pytest.raises(DatabaseError, match="in time"):
                    await database.check()
            silent.stop()

    async def test_a_server_that_comes_back(self, proxy: tuple[Proxy, str]) -> None:
        server, url = proxy
        database = Database(url)
        async with database.running():
            server.stop()
            with pytest.raises(DatabaseError, match="cannot be used"):
                await database.check()
            await server.start()
            await database.check()

    async def test_a_connection_that_breaks_within_a_transaction(self, proxy: tuple[Proxy, str]) -> None:
        server, url = proxy
        database = Database(url)

        async def work(connection: AsyncConnection) -> None:
            server.stop()
            await connection.execute(text("SELECT 1"))

        async with database.running():
            with pytest.raises(DatabaseError, match="cannot be used"):
                await database.run(work)


def test_a_reason_shows_no_password() -> None:
    url = make_url("postgresql://user:pa55word@host/name")
    failure = OperationalError("SELECT 1", {}, Exception("first line pa55word\n\tsecond line"))
    assert describe(failure, url) == "first line *** second line"


def test_a_failure_without_words() -> None:
    assert describe(ConnectionResetError(), make_url("sqlite:///x")) == "ConnectionResetError"
