"""A database that fails, by each cause met in practice: nothing leaves, reads go on, and it heals by itself."""

import asyncio
import base64
import json
import re
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2

from app.sandbox import Account, Sandbox
from tests.support.gateways import GatewayProcess, key_of, running_gateway, tenants_file
from tests.support.misbehaving import new_campaign, operations_of
from tests.support.postgres import postgres_server
from tests.support.problems import problem
from tests.support.sockets import until

WRITES = {"add-task", "maillist-add"}
NUMBERS = count()


@dataclass
class Setting:
    """A gateway of its own process, its platform, and a client of a tenant."""

    sandbox: Sandbox
    gateway: GatewayProcess
    client: httpx2.AsyncClient
    faults: int = 0

    async def writes(self) -> tuple[httpx2.Response, httpx2.Response]:
        """Create a list under an idempotency key, and a campaign without one."""
        number = next(NUMBERS)
        campaign = new_campaign(self.sandbox, from_name=f"mailing {number}", schedule={"mode": "hold"})
        key = {"Idempotency-Key": f"key-{number}"}
        return await asyncio.gather(
            self.client.post("/v1/lists", json={"name": f"List {number}"}, headers=key),
            self.client.post("/v1/campaigns?allow_duplicate=true", json=campaign),
        )

    def left(self) -> int:
        return sum(each in WRITES for each in operations_of(self.sandbox))

    async def ready(self) -> httpx2.Response:
        return await self.client.get("/readyz")

    async def fails(self, cause: str) -> None:
        """See that writes are refused before they leave, that reads go on, and that log and readiness tell."""
        before, self.faults = self.left(), self.faults + 1
        for response in await self.writes():
            refused = problem(response, 503, "state_unavailable")
            assert "Nothing was sent" in refused["detail"]
            assert "Retry-After" in response.headers
        assert self.left() == before
        for path in ("/v1/lists", "/v1/campaigns", "/v1/account"):
            assert (await self.client.get(path)).status_code == 200, path
        ready = await self.ready()
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "failing"), ready.text
        lost = re.findall(r"^.*database_lost.*$", self.gateway.log, re.MULTILINE)
        assert len(lost) == self.faults
        line = lost[-1]
        assert json.loads(line)["level"] == "error"
        assert re.search(cause, line), line

    async def recovers(self) -> None:
        """See that it is ready again by itself, and that writes are carried out."""
        while (await self.ready()).status_code != 200:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.1)
        before = self.left()
        assert [each.status_code for each in await self.writes()] == [201, 201]
        assert self.left() == before + 2
        await until(lambda: self.gateway.log.count("database_back") == self.gateway.log.count("database_lost"))


@asynccontextmanager
async def running(folder: Path, database_url: str) -> AsyncIterator[Setting]:
    async with Sandbox([Account("acme", "acme-password", seeded=True)]) as sandbox:
        settings = {
            "TENANTS_URL": tenants_file(folder, sandbox.base_url, [("acme", "acme-password")]),
            "DATABASE_URL": database_url,
            "MASTER_KEY": base64.b64encode(bytes(32)).decode(),
            "LOG_LEVEL": "WARNING",
        }
        async with (
            running_gateway(folder, settings) as gateway,
            httpx2.AsyncClient(base_url=gateway.url, headers={"X-API-Key": key_of("acme")}, timeout=30) as client,
        ):
            yield Setting(sandbox, gateway, client)


async def test_a_file_that_cannot_grow_or_is_locked(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    async with running(tmp_path, f"sqlite:///{file}") as setting:
        await setting.recovers()
        no_more = (tmp_path / "gateway.db-wal").stat().st_size
        assert no_more > len(setting.gateway.log) + 50_000
        usual = resource.prlimit(setting.gateway.pid, resource.RLIMIT_FSIZE, (no_more, resource.RLIM_INFINITY))
        await setting.fails("disk")
        resource.prlimit(setting.gateway.pid, resource.RLIMIT_FSIZE, usual)
        await setting.recovers()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await setting.fails("in time|locked")
        await setting.recovers()


async def test_a_server_that_only_reads_or_is_killed(tmp_path: Path) -> None:
    with postgres_server() as databases:
        faults: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
            (
                "read-only",
                lambda: databases.tell("ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf();"),
                lambda: databases.tell(
                    "SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only;"
                    " SELECT pg_reload_conf();"
                ),
            ),
            ("connect", databases.kill, databases.start),
        ]
        async with running(tmp_path, databases.make()) as setting:
            await setting.recovers()
            for cause, begin, end in faults:
                begin()
                await setting.fails(cause)
                end()
                await setting.recovers()
