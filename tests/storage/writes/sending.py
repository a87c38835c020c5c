"""Opens attempts in a store as a process of its own; see `main`."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

from app.storage.database.database import Database
from app.storage.writes.models import DuplicateSend
from app.storage.writes.store import WriteStore
from app.telemetry.logs import configure_logging
from app.tenants.vault import MasterKey
from tests.support.attempts import make_attempt


async def compete(store: WriteStore, rounds: int) -> None:
    """For each round, try to send the same as other processes do, and print who may."""
    for number in range(rounds):
        attempt = make_attempt(fingerprint=f"round {number}")
        try:
            await store.begin(attempt, unless_since=datetime(2026, 1, 1, tzinfo=UTC))
            sys.stdout.write(f"{number} won {attempt.id}\n")
        except DuplicateSend as duplicate:
            sys.stdout.write(f"{number} lost {duplicate.earlier.id}\n")


async def crash(store: WriteStore) -> None:
    """Open an attempt and die."""
    await store.begin(make_attempt(idempotency_key="key"))
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, rounds: int) -> None:
    """Open the store, say so, wait for a line, and compete for some rounds, or crash if there are none."""
    configure_logging("WARNING")
    database = Database(url)
    async with database.running():
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        store = WriteStore(database, MasterKey.random(), lease=0.5)
        async with store.running():
            await (compete(store, rounds) if rounds else crash(store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
