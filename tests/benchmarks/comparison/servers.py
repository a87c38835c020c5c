"""Everything that is compared, running side by side."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.comparison.naive import run_naive
from tests.benchmarks.comparison.platform import platform
from tests.benchmarks.exports import process
from tests.benchmarks.load import Target, get
from tests.benchmarks.servers import gateway, wait_for
from tests.support.servers import unused_port
from tests.support.tenants import KEY
from tests.support.tools import install_packages, node

GATEWAY, DIRECT = "gateway", "platform itself"
TENANTS = 20

_PEER = Path(__file__).parent / "peer"


class Server(NamedTuple):
    """A server's port, and its process's id."""

    port: int
    pid: int


@contextmanager
def contestants() -> Iterator[tuple[str, Mapping[str, Server]]]:
    """Run the gateway and what it is compared with, all in front of one platform; yields what that is, and them."""
    with ExitStack() as stack:
        upstream, kind = stack.enter_context(platform())
        found = {GATEWAY: Server(*stack.enter_context(gateway(upstream, tenants=TENANTS, duplicate_window=0)))}
        for library in ("httpx", "httpx2"):
            if find_spec(library) is not None:
                port, control = stack.enter_context(process(run_naive, upstream, library))
                found[f"naive ({library})"] = Server(port, control.recv())
        found["Node"] = stack.enter_context(_peer(upstream))
        found[DIRECT] = Server(upstream, 0)
        yield kind, found


@contextmanager
def _peer(platform: int) -> Iterator[Server]:
    if not (_PEER / "node_modules").exists():
        install_packages(node(), _PEER)
    port = unused_port()
    command = ["node", "server.mjs", str(platform), str(port), KEY]
    with subprocess.Popen(command, cwd=_PEER, env={**os.environ, "PATH": node().path}) as running:
        try:
            wait_for(Target(port, get("/v1/account", f"X-API-Key: {KEY}")))
            yield Server(port, running.pid)
        finally:
            running.terminate()
