"""Journals whose database fails, and callers who leave."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.storage.database.database import Database
from app.storage.journal.database import DatabaseJournal
from app.storage.journal.models import AttemptState, JournalUnavailable
from tests.support.attempts import START, make_attempt

CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("open", (make_attempt(),)),
    ("confirm", ("id", "7020")),
    ("refuse", ("id", "")),
    ("unknown", ("id", "")),
    ("find", ("acme", "key")),
    ("references", ("acme", "campaigns.create", START)),
    ("unresolved", ("acme", "campaigns.create", START)),
    ("forget", (START,)),
    ("check", ()),
]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A running SQLite database."""
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    async with database.running():
        yield database


@pytest.mark.parametrize(("method", "arguments"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_database_that_cannot_be_used(tmp_path: Path, method: str, arguments: tuple[Any, ...]) -> None:
    journal = DatabaseJournal(Database(f"sqlite:///{tmp_path / 'gateway.db'}"))
    with pytest.raises(JournalUnavailable, match="not open"):
        await getattr(journal, method)(*arguments)


async def test_guarding_without_a_database(tmp_path: Path) -> None:
    journal = DatabaseJournal(Database(f"sqlite:///{tmp_path / 'gateway.db'}"))
    with pytest.raises(JournalUnavailable, match="not open"):
        await journal.open_guarded(make_attempt(), unless_since=START)


async def test_a_table_that_is_gone(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
        other.execute("DROP TABLE sends")
    with pytest.raises(JournalUnavailable, match="no such table"):
        await DatabaseJournal(database).open(make_attempt())


async def test_a_caller_who_leaves_does_not_break_off_what_it_began(database: Database) -> None:
    journal = DatabaseJournal(database)
    attempt = await journal.open(make_attempt(idempotency_key="key"))
    task = asyncio.create_task(journal.confirm(attempt.id, "7020"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await journal.find("acme", "key")
    assert found is not None
    assert found.state is AttemptState.CONFIRMED


async def test_an_attempt_whose_opening_was_cut_short_can_be_refused(database: Database) -> None:
    journal, new = DatabaseJournal(database), make_attempt(idempotency_key="key")
    task = asyncio.create_task(journal.open(new))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await journal.refuse(new.id, "not sent") is True
