"""The gateway, and the naive way to write one, each in a process of its own that tells its peak memory and stalls."""

import asyncio
import gc
import json
import socket
import time
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import xmltodict
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from app.telemetry.logs import configure_logging
from app.tenants.store import MemoryTenantStore
from tests.support.tenants import make_tenant

MEASURED = "/_measured"
_TICK = 0.001


class Measuring:
    """Wraps an application: `GET /_measured` answers the peak memory in MiB and the longest stall since in ms.

    A stall is how much later than asked for the event loop wakes a task that sleeps a millisecond. `busy_ms` is the
    processor time used in such a wait; what a stall has beyond that went by while others had the processor.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stall = self._busy = 0.0
        self._monitor: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the measurements, or pass on."""
        if self._monitor is None:
            self._monitor = asyncio.create_task(self._watch())
        if scope["type"] == "http" and scope["path"] == MEASURED:
            body = json.dumps({"peak_mib": _peak_mib(), "stall_ms": self._stall * 1000, "busy_ms": self._busy * 1000})
            self._stall = self._busy = 0.0
            await Response(body)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before, used = loop.time(), time.thread_time()
            await asyncio.sleep(_TICK)
            self._busy = max(self._busy, time.thread_time() - used)
            self._stall = max(self._stall, loop.time() - before - _TICK)


def _peak_mib() -> float:
    # Not getrusage, whose peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def run_gateway(control: Connection, base_url: str, slots: int = 1000) -> None:
    """Serve the gateway as `umail-gateway serve` does, to a tenant with so many slots; sends the port."""
    configure_logging("WARNING", StringIO())
    limits = {"requests_per_minute": 1_000_000, "concurrency": slots}
    settings = Settings(tenants_url="file:unused", export_timeout=3600, _env_file=None)
    app = create_app(settings, tenants=MemoryTenantStore([make_tenant(base_url=base_url, limits=limits)]))
    gc.collect()
    gc.freeze()
    _serve(app, control)


def run_naive(control: Connection, base_url: str) -> None:
    """Serve what a quick wrapper does: read all, `xmltodict.parse`, `json.dumps`; sends the port."""
    app = FastAPI()

    @app.get("/v1/delivery-failures")
    async def list_delivery_failures(request: Request) -> Response:
        async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:
            params = {"out_type": "xml", "type": "-1", "task_id": request.query_params["statistics_id"]}
            reply = await client.get(f"{base_url}failexportall.php", params=params)
        return Response(json.dumps(xmltodict.parse(reply.text)), media_type="application/json")

    _serve(app, control)


def _serve(app: Any, control: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        control.send(server.getsockname()[1])
        config = uvicorn.Config(Measuring(app), log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run([server])
