"""Journals of every kind."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.storage.database.database import Database
from app.storage.journal.database import DatabaseJournal
from app.storage.journal.memory import MemoryJournal
from app.storage.journal.models import Journal
from tests.support.attempts import Clock
from tests.support.postgres import Databases


@dataclass(frozen=True, slots=True)
class Journals:
    """Two journals of the same attempts, as two replicas have them."""

    one: Journal
    other: Journal


@pytest.fixture
def clock() -> Clock:
    """The time by which journals go."""
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def journals(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Journals]:
    """Two empty journals, one pair of each kind in turn."""
    if request.param == "memory":
        memory = MemoryJournal(clock)
        async with memory.running():
            yield Journals(memory, memory)
        return
    postgres: Databases | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    url = postgres.make() if postgres else f"sqlite:///{tmp_path / 'gateway.db'}"
    async with AsyncExitStack() as stack:
        pair = []
        for _ in range(2):
            database = Database(url)
            await stack.enter_async_context(database.running())
            pair.append(DatabaseJournal(database, clock))
            await stack.enter_async_context(pair[-1].running())
        yield Journals(*pair)


@pytest.fixture
def journal(journals: Journals) -> Journal:
    """An empty journal, one of each kind in turn."""
    return journals.one
