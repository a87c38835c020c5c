"""SQLite files in memory, each begun as a copy of one that has been migrated."""

import asyncio
import shutil
import tempfile
import threading
import weakref
from functools import cache
from pathlib import Path

from app.storage.database.database import Database


@cache
def _memory() -> str | None:
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() else None


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="umail-template-", dir=_memory()))
    weakref.finalize(_template, shutil.rmtree, folder, ignore_errors=True)

    async def make() -> None:
        async with Database(f"sqlite:///{folder / 'gateway.db'}").running():
            pass

    # Tests that ask for it may be in a loop of their own.
    thread = threading.Thread(target=lambda: asyncio.run(make()))
    thread.start()
    thread.join()
    return folder / "gateway.db"


def fresh_database() -> Database:
    """Return an empty database that goes with the object."""
    folder = tempfile.mkdtemp(prefix="umail-database-", dir=_memory())
    shutil.copy(_template(), folder)
    database = Database(f"sqlite:///{folder}/gateway.db")
    weakref.finalize(database, shutil.rmtree, folder, ignore_errors=True)
    return database
