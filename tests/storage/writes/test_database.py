"""Stores whose database fails, and callers who leave."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import StateUnavailable
from app.storage.database.database import Database
from app.storage.writes.endings import Ending
from app.storage.writes.models import AttemptState, Confirmed
from app.storage.writes.store import WriteStore
from tests.storage.writes.conftest import MASTER_KEY, opened_store
from tests.support.attempts import START, make_attempt

CALLS: dict[str, Callable[[WriteStore], Awaitable[Any]]] = {
    "begin": lambda store: store.begin(make_attempt()),
    "guarded": lambda store: store.begin(make_attempt(), unless_since=START),
    "find": lambda store: store.find("acme", "key"),
    "references": lambda store: store.references("acme", "campaigns.create", START),
    "unresolved": lambda store: store.unresolved("acme", "campaigns.create", START),
}


@pytest.fixture
async def writes(tmp_path: Path) -> AsyncIterator[WriteStore]:
    """A store over an SQLite file."""
    async with opened_store(f"sqlite:///{tmp_path / 'gateway.db'}") as store:
        yield store


@pytest.mark.parametrize("call", CALLS)
async def test_a_database_that_is_not_open(tmp_path: Path, call: str) -> None:
    store = WriteStore(Database(f"sqlite:///{tmp_path / 'gateway.db'}"), MASTER_KEY)
    with pytest.raises(StateUnavailable):
        await CALLS[call](store)


async def test_a_table_that_is_gone(writes: WriteStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
        other.execute("ALTER TABLE sends RENAME TO gone")
        with pytest.raises(StateUnavailable):
            await writes.begin(make_attempt())
        other.execute("ALTER TABLE gone RENAME TO sends")
    assert await writes.begin(make_attempt()) is not None


async def test_a_caller_who_leaves_does_not_break_off_what_it_ends(writes: WriteStore) -> None:
    attempt = await writes.begin(make_attempt(idempotency_key="key"))
    task = asyncio.create_task(writes.end(Ending(attempt=attempt, outcome=Confirmed("7020"))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = (await writes.find("acme", "key")).attempt
    while found is not None and found.state is AttemptState.PENDING:
        found = (await writes.find("acme", "key")).attempt
    assert found is not None
    assert found.state is AttemptState.CONFIRMED


async def test_what_a_caller_who_left_had_begun_is_taken_back(writes: WriteStore) -> None:
    task = asyncio.create_task(writes.begin(make_attempt(idempotency_key="key")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = (await writes.find("acme", "key")).attempt
    while found is None or found.state is AttemptState.PENDING:
        await asyncio.sleep(0.05)
        found = (await writes.find("acme", "key")).attempt
    assert found.state is AttemptState.REFUSED
    assert await writes.begin(make_attempt(idempotency_key="key")) is not None
