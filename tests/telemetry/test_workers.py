"""Metrics of several processes: whoever is asked answers for all, and for none that is gone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.mmap_dict import MmapedDict

from app.sandbox import Account, Sandbox
from tests.support.exposition import samples, total
from tests.support.gateways import GatewayProcess, key_of, running_gateway, tenants_file
from tests.support.servers import unused_port
from tests.support.valkey import ValkeyServer

MASTER = "A" * 43 + "="
COUNT = "umail_gateway_request_duration_seconds_count"
TENANT_COUNT = "umail_gateway_tenant_request_duration_seconds_count"
ROUTE = "/v1/account"
AT_ONCE = 16
MANAGEMENT_PORT = unused_port()
MANAGEMENT = f"http://127.0.0.1:{MANAGEMENT_PORT}"
"""All workers listen there too."""


@pytest.fixture
async def gateway(tmp_path: Path, valkey: ValkeyServer) -> AsyncIterator[GatewayProcess]:
    async with Sandbox(accounts=[Account(username="acme", password="secret", role="customer", seeded=True)]) as sandbox:
        settings = {
            "TENANTS_URL": tenants_file(tmp_path, sandbox.base_url, [("acme", "secret")]),
            "DATA_DIR": tmp_path,
            "STATE_URL": valkey.url,
            "MASTER_KEY": MASTER,
            "MANAGEMENT_PORT": MANAGEMENT_PORT,
        }
        async with running_gateway(tmp_path, settings, workers=2) as gateway:
            yield gateway


@pytest.fixture
async def client(gateway: GatewayProcess) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that connects anew for each request, so that any worker may answer it."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {key_of('acme')}"}
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, limits=limits, headers=headers) as client:
        yield client


async def ask(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/account")).status_code == 200


async def metrics(client: httpx2.AsyncClient) -> str:
    try:
        return (await client.get(f"{MANAGEMENT}/metrics")).text
    except httpx2.TransportError:
        # The worker that has been killed had taken the connection.
        return (await client.get(f"{MANAGEMENT}/metrics")).text


async def ask_both(client: httpx2.AsyncClient, folder: Path) -> int:
    """Ask until each worker has answered; return how often that was."""
    asked = 0
    while sum(has_answered(path) for path in files(folder)) < 2:
        await asyncio.gather(*(ask(client) for _ in range(AT_ONCE)))
        asked += AT_ONCE
    return asked


def files(folder: Path) -> list[Path]:
    (found,) = (folder / "tmp").glob("umail-gateway-metrics-*")
    return sorted(found.iterdir())


def has_answered(path: Path) -> bool:
    """Tell whether these are the durations that a worker measured, the route's among them."""
    return path.name.startswith("histogram_") and any(
        ROUTE in key
        for key, *_ in MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
    )


async def test_each_worker_answers_for_both_also_after_one_has_been_killed(
    gateway: GatewayProcess, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    asked = await ask_both(client, tmp_path)
    for _ in range(AT_ONCE):
        text = await metrics(client)
        assert total(text, COUNT, route=ROUTE, status="200") == asked
        assert total(text, TENANT_COUNT, tenant="acme", status="2xx") == asked
        assert total(text, "umail_gateway_build_info") == 1

    pids = [int(path.stem.removeprefix("worker_")) for path in files(tmp_path) if path.suffix == ".lock"]
    memory = total(text, "process_resident_memory_bytes")
    assert len(pids) == 2
    assert memory == pytest.approx(sum(resident(pid) for pid in pids), rel=0.2)

    os.kill(pids[0], signal.SIGKILL)
    text = await metrics(client)
    while any(path.name == f"gauge_livesum_{pids[0]}.db" for path in files(tmp_path)):
        text = await metrics(client)
    assert total(text, COUNT, route=ROUTE, status="200") == asked
    assert total(text, TENANT_COUNT, tenant="acme", status="2xx") == asked
    while not samples(text)["umail_gateway_event_loop_lag_seconds_count"][0][1]:
        text = await metrics(client)

    await gateway.terminate()
    assert list((tmp_path / "tmp").iterdir()) == []


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
