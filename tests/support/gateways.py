"""The gateway as a process of its own, that can be killed and started again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Container, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import yaml

from app.tenants.store import hash_key
from tests.support.forks import Forked
from tests.support.servers import unused_port

ROOT = Path(__file__).parents[2]
PROGRAM = "from app.cli import main; main()"
_LOOK_AGAIN = 0.02


class GatewayProcess:
    """A gateway that keeps its port over restarts.

    Args:
        folder: where its settings, its log and what it keeps are.
        settings: its settings, by the names of their environment variables without the prefix.
        workers: how many processes serve.
        program: what Python is told to run, if it shall be a new Python. Several workers always start with one.
        command: the gateway's command.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        workers: int = 1,
        *,
        program: str | None = None,
        command: str = "serve",
    ) -> None:
        self._folder = folder
        self._workers = workers
        self._program = program
        self._command = command
        self._settings = settings
        self._process: Process | Forked | None = None
        self._port = unused_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.up = asyncio.Event()

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._folder / "log").read_text(encoding="utf-8")

    @property
    def arguments(self) -> str:
        """What any user of the machine sees of it."""
        if self._process is None:
            return ""
        return Path(f"/proc/{self._process.pid}/cmdline").read_text(encoding="utf-8")

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("UMAIL_GATEWAY_")}
        given = {f"UMAIL_GATEWAY_{name}": str(value) for name, value in self._settings.items()}
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {
            **kept,
            **given,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default",
            "TMPDIR": str(temporary),
        }
        arguments: tuple[str, ...] = (self._command, "--port", str(self._port))
        if self._workers > 1:
            arguments = (*arguments, "--workers", str(self._workers))
        with (self._folder / "log").open("ab") as log:
            if self._program is None and self._workers == 1:
                self._process = Forked(arguments, self._folder, environment, log)
            else:
                command = (sys.executable, "-c", self._program or PROGRAM, *arguments)
                self._process = await asyncio.create_subprocess_exec(
                    *command, cwd=self._folder, env=environment, stdout=log, stderr=log
                )
        async with httpx2.AsyncClient(base_url=self.url) as client:
            while not await _is_ready(client):
                if self._process.returncode is not None:
                    raise RuntimeError(self.log)
                await asyncio.sleep(_LOOK_AGAIN)
        self.up.set()

    async def kill(self) -> None:
        """End it as a crash does."""
        await self._end(signal.SIGKILL)

    async def interrupt(self) -> None:
        """End it as somebody at a terminal does, and wait until it has."""
        await self._end(signal.SIGINT)

    async def terminate(self) -> None:
        """Ask it to end, and wait until it has."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        self.up.clear()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            if isinstance(self._process, Forked):
                await asyncio.to_thread(self._process.wait)
            else:
                await self._process.wait()


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


def tenants_file(
    folder: Path, base_url: str, accounts: Iterable[tuple[str, str]], *, preflighted: Container[str] = ()
) -> str:
    """Write a tenants file and return its URL; each tenant's API key is `key_of` its name.

    Args:
        accounts: names and passwords.
        preflighted: those that demand preflights.
    """
    tenants = [
        {
            "id": name,
            "name": name,
            "upstream": {"base_url": base_url, "username": name, "password": password},
            "limits": {"requests_per_minute": 1_000_000, "concurrency": 100},
            "sends": {"require_preflight": name in preflighted},
            "keys": [{"id": "all", "sha256": hash_key(key_of(name)), "scopes": ["read", "write", "send"]}],
        }
        for name, password in accounts
    ]
    path = folder / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": tenants}, allow_unicode=True), encoding="utf-8")
    return f"file:{path}"


def key_of(tenant: str) -> str:
    """Return the API key of a tenant in `tenants_file`."""
    return f"umg_key-of-{tenant}"


@asynccontextmanager
async def running_gateway(
    folder: Path, settings: Mapping[str, object], workers: int = 1, *, program: str | None = None
) -> AsyncIterator[GatewayProcess]:
    """Run a gateway; however often it was started again, it has ended afterwards."""
    gateway = GatewayProcess(folder, settings, workers, program=program)
    try:
        await gateway.start()
        yield gateway
    finally:
        await gateway.terminate()
