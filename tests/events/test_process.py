"""`umail-gateway events` beside a gateway that serves: it watches and delivers, and may be killed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import yaml

from app.sandbox import Account, Sandbox
from app.sandbox.times import Pace
from app.tenants.store import hash_key
from app.tenants.vault import generate_master_key
from tests.support.gateways import GatewayProcess, key_of
from tests.support.receivers import receiving

PACE = Pace(sending=timedelta(seconds=3))


def write_tenants(folder: Path, base_url: str) -> str:
    tenant = {
        "id": "seeded",
        "name": "seeded",
        "upstream": {"base_url": base_url, "username": "seeded", "password": "seeded"},
        "events": {"requests_per_minute": 600},
        "keys": [
            {
                "id": "all",
                "sha256": hash_key(key_of("seeded")),
                "scopes": ["read", "send", "webhooks"],
            }
        ],
    }
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": [tenant]}), encoding="utf-8")
    return f"file:{folder / 'tenants.yaml'}"


@asynccontextmanager
async def processes(folder: Path, base_url: str) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess]]:
    """Run a gateway that serves only, and a process for its events."""
    settings = {
        "TENANTS_URL": write_tenants(folder, base_url),
        "DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "MASTER_KEY": generate_master_key(),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
        "EVENTS_IN_SERVE": "false",
        "AUDIT_LOG": "off",
    }
    serving = GatewayProcess(folder, settings)
    watching = GatewayProcess(folder, settings, command="events")
    async with AsyncExitStack() as stack:
        for each in (serving, watching):
            stack.push_async_callback(each.terminate)
            await each.start()
        yield serving, watching


async def test_events_survive_the_process_that_watches(tmp_path: Path) -> None:
    accounts = [Account(username="seeded", password="seeded", role="customer", seeded=True)]
    async with (
        Sandbox(accounts=accounts, pace=PACE) as sandbox,
        receiving() as receivers,
        processes(tmp_path, sandbox.base_url) as (serving, watching),
        httpx2.AsyncClient(base_url=serving.url, headers={"X-API-Key": key_of("seeded")}, timeout=20) as client,
    ):
        async with httpx2.AsyncClient(base_url=watching.url) as other:
            assert (await other.get("/v1/events")).status_code == 404
            assert (await other.get("/metrics")).status_code == 200
        body = {"url": receivers.make("/hook"), "types": ["campaign.created", "campaign.finished"]}
        assert (await client.post("/v1/webhooks", json=body)).status_code == 201
        state = sandbox.state("seeded")
        campaign: dict[str, Any] = {
            "template_ids": list(state.templates)[:1],
            "list_id": next(iter(state.lists)),
            "sender": {"type": "any"},
            "from_name": "示例",
            "schedule": {"mode": "now"},
        }
        created = (await client.post("/v1/campaigns", json=campaign)).json()
        await asyncio.sleep(random.uniform(0, 1))
        await watching.kill()
        await watching.start()
        async with asyncio.timeout(40):
            while "campaign.finished" not in {each.event["type"] for each in receivers.received}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        events = (await client.get("/v1/events", params={"limit": 500})).json()["data"]
        ours = [each["type"] for each in events if each["data"].get("id") == created["id"]]
        assert [each for each in ours if each != "campaign.progressed"] == [
            "campaign.created",
            "campaign.started",
            "campaign.finished",
        ]
        assert {json.loads(each.body)["data"]["id"] for each in receivers.received} == {created["id"]}
