"""How long it takes to find out whose an API key is, with many tenants in the database.

    python -m tests.benchmarks.keys [--tenants 10000] [--rounds 5]

Once from the process's memory, which every request but a key's first meets; once from SQLite and PostgreSQL, as after a
start, decryption included. Lookups are made one after another, each of another tenant's key; figures are microseconds.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from app.storage.database.database import Database
from app.storage.database.schema import api_keys, master_keys, tenants
from app.storage.tenants.rows import tenant_columns
from app.storage.tenants.store import DatabaseTenantStore
from app.tenants.store import generate_key, hash_key, shown_part
from app.tenants.vault import MasterKey, MasterKeys, Vault
from tests.benchmarks.tables import machine
from tests.support.postgres import postgres_server
from tests.support.tenants import make_tenant

_AT_ONCE = 1000
_PATIENCE = 60.0


async def fill(database: Database, vault: Vault, keys: Sequence[str]) -> None:
    """Add a tenant for each key."""
    moment = datetime.now(UTC)
    stamps = {"revision": 1, "created_at": moment, "updated_at": moment}
    async with database.transaction() as connection:
        await connection.execute(insert(master_keys).values(id=vault.current, created_at=moment))
    for start in range(0, len(keys), _AT_ONCE):
        numbered = list(enumerate(keys[start : start + _AT_ONCE], start))
        rows = [{**tenant_columns(make_tenant(tenant_id=f"t{n}", keys=()), vault), **stamps} for n, _ in numbered]
        owned = [
            {"tenant": f"t{n}", "id": "web", "prefix": shown_part(key), "sha256": hash_key(key), "created_at": moment}
            for n, key in numbered
        ]
        async with database.transaction() as connection:
            await connection.execute(insert(tenants), rows)
            await connection.execute(insert(api_keys), [{**row, "scopes": ["read"], "networks": []} for row in owned])


async def lookups(store: DatabaseTenantStore, keys: Sequence[str]) -> list[float]:
    """Return the microseconds that each lookup takes."""
    taken = []
    for key in keys:
        began = time.perf_counter()
        identity = await store.identify(key)
        taken.append((time.perf_counter() - began) * 1e6)
        if identity is None:
            raise RuntimeError("a key was not found")
    return taken


async def measure(url: str, options: argparse.Namespace) -> tuple[list[float], list[float], float]:
    """Return the microseconds of cold and of warm lookups, and the seconds that the store took to start."""
    database, vault = Database(url, timeout=_PATIENCE), Vault(MasterKeys(MasterKey.random()))
    keys = [generate_key() for _ in range(options.tenants)]
    async with database.running():
        await fill(database, vault, keys)
        store = DatabaseTenantStore(database, vault)
        began = time.perf_counter()
        async with store.running():
            started = time.perf_counter() - began
            cold = await lookups(store, keys)
            warm = [each for _ in range(options.rounds) for each in await lookups(store, keys)]
    return cold, warm, started


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of empty databases by their kinds."""
    with TemporaryDirectory() as folder, postgres_server() as postgres:
        yield {"SQLite": f"sqlite:///{Path(folder) / 'gateway.db'}", "PostgreSQL": postgres.make()}


def row(name: str, taken: list[float]) -> str:
    """Return a line of the table."""
    percentiles = statistics.quantiles(taken, n=100)
    return f"| {name} | {statistics.median(taken):,.1f} | {percentiles[98]:,.1f} |"


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; {options.tenants:,} tenants\n\n| key lookup | p50 µs | p99 µs |\n| --- | ---: | ---: |")
    starts = []
    with databases() as urls:
        for name, url in urls.items():
            cold, warm, started = asyncio.run(measure(url, options))
            starts.append(f"{name} {started * 1000:,.0f} ms")
            print(row(f"from {name}", cold))
            print(row(f"from memory, over {name}", warm))
    print(f"\nThe store's start: {', '.join(starts)}")


if __name__ == "__main__":
    main()
