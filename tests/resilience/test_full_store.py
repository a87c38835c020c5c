"""A shared store that is too small, flushed, restarted or gone makes the gateway slower, and refuses nothing."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from app.tenants.vault import generate_master_key
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant
from tests.support.valkey import ValkeyServer

MAILING = "<maillist>{}</maillist>"
LIST = "<item><id>{}</id><subject>{}</subject><status>enabled</status></item>"
DONE = "<result><status>success</status><id>9</id></result>"


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    made = ValkeyServer()
    made.start()
    yield made
    made.close()


@pytest.fixture
async def client(server: ValkeyServer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway with that store, in front of a platform whose lists take some 100 kB."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            return xml_reply(DONE)
        return xml_reply(MAILING.format("".join(LIST.format(number, "x" * 500) for number in range(1, 200))))

    tenants = [make_tenant(), make_tenant(tenant_id="rival", suffix="rival")]
    app = make_app(
        tenants,
        FakePlatform([answer]).transport,
        state_url=server.url,
        master_key=generate_master_key(),
        cache_lifetimes={"*": 60},
    )
    async with client_of(app) as made:
        yield made


async def serve_everything(client: httpx2.AsyncClient, name: str) -> None:
    """Read and write, with idempotency keys, as two tenants."""
    for suffix in ("", "rival"):
        headers = {"Authorization": f"Bearer {KEY}{suffix}"}
        for _ in range(3):
            response = await client.get("/v1/lists", headers=headers)
            assert response.status_code == 200
        for _ in range(2):
            keyed = {**headers, "Idempotency-Key": f"{name}-{suffix}"}
            response = await client.post("/v1/lists", json={"name": "n"}, headers=keyed)
            assert response.status_code == 201


@pytest.mark.parametrize("policy", ["allkeys-lru", "noeviction"])
async def test_too_small(server: ValkeyServer, client: httpx2.AsyncClient, policy: str) -> None:
    with server.client() as valkey:
        valkey.config_set("maxmemory-policy", policy)
        valkey.config_set("maxmemory", valkey.info("memory")["used_memory"] + 100_000)
    for number in range(3):
        await serve_everything(client, f"{policy}-{number}")


async def test_flushed_restarted_and_gone(server: ValkeyServer, client: httpx2.AsyncClient) -> None:
    await serve_everything(client, "first")
    with server.client() as valkey:
        valkey.flushall()
    await serve_everything(client, "flushed")
    server.stop()
    await serve_everything(client, "gone")
    server.start()
    await serve_everything(client, "back")
