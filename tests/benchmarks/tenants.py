"""Ten thousand tenants: how long until they are there, what they take, and what a reload does to the event loop.

    python -m tests.benchmarks.tenants [--tenants 10000]

Wanted: there within 3 s, at most 10 KiB a tenant, no stall above 50 ms.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import yaml
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.database.database import Database
from app.storage.database.schema import api_keys, tenant_changes, tenants
from app.storage.tenants.rows import tenant_columns
from app.storage.tenants.statements import register_master_key
from app.storage.tenants.store import DatabaseTenantStore
from app.tenants.file import FileTenantStore
from app.tenants.models import Tenant
from app.tenants.store import hash_key
from app.tenants.vault import MasterKeys, Vault, generate_master_key

_BEAT = 0.002
_STATUS = Path("/proc/self/statm")
_PAGE = 4096
_SEEN = 2000


def resident() -> int:
    gc.collect()
    return int(_STATUS.read_text(encoding="ascii").split()[1]) * _PAGE


@asynccontextmanager
async def beating() -> AsyncIterator[list[float]]:
    """Collect how much processor time the process takes between two turns of the event loop.

    Unlike the time that passes, it does not depend on what else the machine does.
    """
    late: list[float] = []

    async def beat() -> None:
        while True:
            began = time.process_time()
            await asyncio.sleep(_BEAT)
            late.append(time.process_time() - began)

    task = asyncio.create_task(beat())
    try:
        yield late
    finally:
        task.cancel()


def write_file(path: Path, count: int, *, renamed: int = -1) -> None:
    document = [
        {
            "id": f"tenant-{number}",
            "name": f"Tenant {number}{' renamed' if number == renamed else ''}",
            "upstream": {
                "base_url": "https://platform.example/mm-ms/apinew/",
                "username": f"u{number}",
                "password": "x",
            },
            "limits": {"requests_per_minute": 600},
            "keys": [{"id": "web", "sha256": hash_key(f"umg_{number}"), "scopes": ["read", "write"]}],
        }
        for number in range(count)
    ]
    draft = path.with_suffix(".draft")
    draft.write_text(yaml.dump({"tenants": document}, Dumper=yaml.CSafeDumper), encoding="utf-8")
    draft.rename(path)


async def measure_file(folder: Path, count: int) -> None:
    path = folder / "tenants.yaml"
    write_file(path, count)
    before, began, cpu = resident(), time.perf_counter(), time.process_time()
    store = FileTenantStore(path, {}, interval=0.1)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    size = (resident() - before) / count / 1024
    print(f"file: {count} tenants read in {seconds:.2f} s ({cpu:.2f} s of CPU), {size:.1f} KiB each")
    write_file(path, count, renamed=count // 2)
    async with store.running(), beating() as late:
        while (found := await store.find(f"tenant-{count // 2}")) is None or "renamed" not in found.name:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)
    print(
        f"file: reload stalls {max(late) * 1000:.0f} ms at most, {statistics.median(late) * 1000:.1f} ms at the median"
    )


async def measure_database(folder: Path, count: int) -> None:
    database = Database(f"sqlite:///{folder / 'gateway.db'}")
    vault = Vault(MasterKeys.parse(generate_master_key()))
    async with database.running():
        await _fill(database, vault, count)
    before, began = resident(), time.perf_counter()
    async with database.running():
        store = DatabaseTenantStore(database, vault, interval=0.05)
        async with store.running():
            print(f"database: ready in {time.perf_counter() - began:.2f} s with {count} tenants")
            began, seen = time.perf_counter(), min(count, _SEEN)
            async with beating() as late:
                for number in range(seen):
                    assert await store.identify(f"umg_{number}") is not None
            seconds = time.perf_counter() - began
            size = (resident() - before) / seen / 1024
            print(
                f"database: {seen} seen once in {seconds:.1f} s, {size:.1f} KiB each, stall {max(late) * 1000:.0f} ms"
            )
            async with beating() as late:
                await database.run(_change_all)
                await asyncio.sleep(1)
            print(f"database: {count} changes at once stall {max(late) * 1000:.0f} ms")


async def _fill(database: Database, vault: Vault, count: int) -> None:
    moment = datetime.now(UTC)
    upstream = {"base_url": "https://platform.example/mm-ms/apinew/", "username": "u", "password": "x"}
    rows = []
    for number in range(count):
        tenant = Tenant.model_validate({"id": f"tenant-{number}", "name": f"Tenant {number}", "upstream": upstream})
        rows.append({**tenant_columns(tenant, vault), "revision": 1, "created_at": moment, "updated_at": moment})
    key = {"id": "web", "prefix": "umg_", "scopes": ["read"], "networks": [], "created_at": moment}
    keys = [{**key, "tenant": row["id"], "sha256": hash_key(f"umg_{at}")} for at, row in enumerate(rows)]
    async with database.transaction() as connection:
        await register_master_key(connection, vault, moment)
        await connection.execute(insert(tenants), rows)
        await connection.execute(insert(api_keys), keys)


async def _change_all(connection: AsyncConnection) -> None:
    ids = (await connection.execute(select(tenants.c.id))).scalars().all()
    await connection.execute(insert(tenant_changes), [{"tenant": each, "number": at} for at, each in enumerate(ids, 1)])


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenants", type=int, default=10_000)
    count = parser.parse_args().tenants
    with tempfile.TemporaryDirectory() as folder:
        await measure_file(Path(folder), count)
        await measure_database(Path(folder), count)


if __name__ == "__main__":
    asyncio.run(main())
