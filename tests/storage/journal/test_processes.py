"""Journals that several processes share, and processes that die."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.storage.database.database import Database
from app.storage.journal.database import DatabaseJournal
from app.storage.journal.models import AttemptState, DuplicateKey
from tests.support.attempts import make_attempt

ROOT = Path(__file__).parents[3]
ROUNDS = 40


@asynccontextmanager
async def sending(url: str, rounds: int) -> AsyncIterator[Process]:
    """Start a process and wait until it has opened the journal."""
    arguments = [str(Path(__file__).with_name("sending.py")), url, str(rounds)]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_same_leaves_one_process_only(database_url: str) -> None:
    async with sending(database_url, ROUNDS) as first, sending(database_url, ROUNDS) as second:
        outputs = await asyncio.gather(first.communicate(b"go\n"), second.communicate(b"go\n"))
    rounds = [sorted(lines) for lines in zip(*(output.decode().splitlines() for output, _ in outputs), strict=True)]
    assert len(rounds) == ROUNDS
    for number, (lost, won) in enumerate(rounds):
        assert won.startswith(f"{number} won ")
        assert lost == won.replace("won", "lost")


async def test_a_crash_leaves_the_attempt(database_url: str) -> None:
    async with sending(database_url, 0) as process:
        await process.communicate(b"go\n")
        assert process.returncode == -9
    database = Database(database_url)
    async with database.running():
        journal = DatabaseJournal(database)
        found = await journal.find("acme", "key")
        assert found is not None
        assert found.state is AttemptState.PENDING
        with pytest.raises(DuplicateKey):
            await journal.open(make_attempt(idempotency_key="key"))
