"""A gateway that dies in the middle of its work, and one that is asked to end."""

import asyncio
import os
import random
from pathlib import Path

import httpx2
import pytest

from app.sandbox import Account, Fault, Sandbox
from tests.resilience.crashes import weather
from tests.support.gateways import key_of, running_gateway, tenants_file
from tests.support.sockets import until

CAMPAIGNS = int(os.environ.get("CRASH_TEST_CAMPAIGNS", "60"))
REQUESTS = 40


@pytest.mark.timeout(300 + CAMPAIGNS)
async def test_no_crash_sends_anything_twice(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    result = await weather(tmp_path, campaigns=CAMPAIGNS, seed=seed, at_once=32)
    told = f"seed {seed}: {result.summary()}"
    assert not result.broken_promises(), told
    assert len(result.answered) + len(result.unknown) == CAMPAIGNS, told
    assert result.kills, told
    assert result.tickets, told
    assert len(result.answered) > CAMPAIGNS / 2, told


async def test_ending_loses_no_request(tmp_path: Path) -> None:
    async with Sandbox([Account("acme", "acme-password", seeded=True)]) as sandbox:
        settings = {
            "TENANTS_URL": tenants_file(tmp_path, sandbox.base_url, [("acme", "acme-password")]),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
        }
        sandbox.misbehave(Fault("latency", times=None, delay=0.3))
        async with (
            running_gateway(tmp_path, settings) as gateway,
            httpx2.AsyncClient(base_url=gateway.url, headers={"X-API-Key": key_of("acme")}, timeout=30) as client,
        ):
            asking = [
                asyncio.create_task(client.post("/v1/lists", json={"name": f"List {number}"}))
                for number in range(REQUESTS)
            ]
            await until(lambda: len(sandbox.calls) == REQUESTS)
            assert not any(each.done() for each in asking)
            await gateway.terminate()
            answers = await asyncio.gather(*asking)
        assert [each.status_code for each in answers] == [201] * REQUESTS
        names = {each.subject for each in sandbox.state("acme").lists.values()}
        assert names >= {f"List {number}" for number in range(REQUESTS)}
