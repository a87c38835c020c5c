"""Stores that several processes share, and processes that die."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.storage.writes.models import AttemptState, DuplicateKey
from app.storage.writes.store import WriteStore
from tests.storage.writes.conftest import opened_store
from tests.support.attempts import make_attempt

ROOT = Path(__file__).parents[3]
ROUNDS = 40


@asynccontextmanager
async def sending(url: str, rounds: int) -> AsyncIterator[Process]:
    """Start a process and wait until it has opened the store."""
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
    async with opened_store(database_url) as store:
        # Its lease is still to run out.
        while await _state(store) is AttemptState.PENDING:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.05)
        assert await _state(store) is AttemptState.UNKNOWN
        with pytest.raises(DuplicateKey):
            await store.begin(make_attempt(idempotency_key="key"))


async def _state(store: WriteStore) -> AttemptState:
    attempt = (await store.find("acme", "key")).attempt
    assert attempt is not None
    return attempt.state
