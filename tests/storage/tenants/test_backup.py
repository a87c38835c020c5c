"""A copy made the way `helm/README.md` says, while the gateway is at work, is as good as what it was made from."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import DatabaseError
from tests.support.postgres import Databases
from tests.support.tenant_databases import NEW, READ, keyless, opened_repository, opened_store, secret

COPY = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"


def run(*command: object) -> None:
    """Run a program that must succeed."""
    done = subprocess.run([str(part) for part in command], timeout=60, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_backup_and_restore(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    async with opened_repository(database_url) as repository:
        await repository.add(keyless())
        key = (await repository.create_key("acme", READ)).key
        if database_url.startswith("sqlite"):
            copy = tmp_path / "copy.db"
            await asyncio.to_thread(run, sys.executable, "-c", COPY, tmp_path / "gateway.db", copy)
            restored = f"sqlite:///{copy}"
        else:
            dump = tmp_path / "dump"
            databases: Databases = request.getfixturevalue("postgres")
            restored = databases.make()
            await asyncio.to_thread(run, databases.programs / "pg_dump", "-Fc", "-f", dump, "-d", database_url)
            await asyncio.to_thread(run, databases.programs / "pg_restore", "--no-owner", "-d", restored, dump)
        await repository.add(keyless("later"))
    async with opened_store(restored) as store:
        identity = await store.identify(key.get_secret_value())
        assert identity is not None
        assert identity[0].upstream.password == secret(keyless().upstream.password.get_secret_value())
        assert await store.find("later") is None
    with pytest.raises(DatabaseError, match="master key"):
        async with opened_repository(restored, NEW):
            raise AssertionError("it opened without the key it was encrypted with")
