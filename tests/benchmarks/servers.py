"""What requests per second are measured against, each in a process of its own: gateway, platform, bare route."""

import asyncio
import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import uvicorn
import uvloop
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.load import Target, get, once
from tests.support.servers import unused_port
from tests.support.tenants import KEY, make_tenant

PATH = "/v1/lists"
ASK = get(PATH, f"X-API-Key: {KEY}")
COUNT = "/count"

_ROOT = Path(__file__).parents[2]
_SERVE = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
_RECORD = (
    "<item><id>%d</id><subject>新闻订阅 %d</subject><description>Weekly news</description><count>%d</count>"
    "<status>enabled</status></item>"
)
_START_SECONDS = 60.0


class _Platform(asyncio.Protocol):
    """Answers every request with the same lists after a while, and `/count` with how often it has done so."""

    calls = 0

    def __init__(self, answer: bytes, delay: float) -> None:
        self._answer = answer
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"\r\n\r\n"):
            return
        counting = self._received.startswith(f"GET {COUNT} ".encode())
        self._received = b""
        if counting:
            self._transport.write(_message(b"%d" % _Platform.calls))
            return
        _Platform.calls += 1
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._answer)
        else:
            self._transport.write(self._answer)


def _message(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def run_platform(control: Connection, lists: int, delay: float) -> None:
    """Be a platform with so many lists that takes some seconds for an answer; sends the port."""
    records = "".join(_RECORD % (number, number, number * 100) for number in range(1, lists + 1))
    document = f"<?xml version='1.0' encoding='utf-8'?><maillist>{records}</maillist>"
    answer = _message(document.encode())

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Platform(answer, delay), "127.0.0.1", 0, backlog=4096)
        control.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


def run_bare(control: Connection, body: bytes) -> None:
    """Serve a Starlette route that returns these bytes, with the settings of `umail-gateway serve`.

    Sends the port, and then the process's id.
    """

    async def lists(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    port = unused_port()
    control.send(port)
    control.send(os.getpid())
    app = Starlette(routes=[Route(PATH, lists)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False)


@contextmanager
def gateway(
    platform: int, *, tenants: int = 1, workers: int = 1, smtp: dict[str, object] | None = None, **settings: object
) -> Iterator[tuple[int, int]]:
    """Run `umail-gateway serve`, its log thrown away; yields its port and its process's id.

    Args:
        platform: the platform's port.
        tenants: how many there are; `key_of` gives their keys.
        workers: processes.
        smtp: the tenants' relay, if they have one.
        settings: its settings, by their names in lower case.
    """
    with TemporaryDirectory() as name:
        folder, port = Path(name), unused_port()
        file = folder / "tenants.yaml"
        file.write_text(_tenants(platform, tenants, smtp), encoding="utf-8")
        given = {"tenants_url": f"file:{file}", "data_dir": folder, "port": port, **settings}
        variables = {f"UMAIL_GATEWAY_{setting.upper()}": str(value) for setting, value in given.items()}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UMAIL_GATEWAY_")}
        command = [*_SERVE, "--workers", str(workers)]
        environment |= {"PYTHONPATH": str(_ROOT), **variables}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder, env=environment) as process:
            try:
                wait_for(Target(port, get("/healthz")))
                yield port, process.pid
            finally:
                process.terminate()


def key_of(tenant: int) -> str:
    """Return the key of one of the gateway's tenants, counted from 0."""
    return f"{KEY}{tenant or ''}"


def _tenants(platform: int, count: int, smtp: dict[str, object] | None) -> str:
    return yaml.safe_dump({"tenants": [_tenant(platform, number, smtp) for number in range(count)]})


def _tenant(platform: int, number: int, smtp: dict[str, object] | None) -> dict[str, Any]:
    base, name = f"http://127.0.0.1:{platform}/mm-ms/apinew/", f"acme{number or ''}"
    tenant = make_tenant(tenant_id=name, base_url=base, suffix=str(number or "")).model_dump(mode="json")
    tenant["upstream"]["password"] = "tenant-password"
    tenant["limits"] = {"requests_per_minute": 1_000_000_000, "concurrency": 1000, "campaigns_per_hour": 100}
    return {**tenant, "smtp": smtp} if smtp else tenant


def wait_for(target: Target) -> None:
    """Wait until a server answers.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            once(target)
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers on port {target.port}")


def new_master_key() -> str:
    """Return a master key as settings take it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def calls_of(platform: int) -> int:
    """Return how many requests a platform has answered."""
    return int(once(Target(platform, get(COUNT))).body)
