"""Messages are handed over once, and journaled like campaigns."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.misbehaving import ACCOUNTS, POLICIES, client_for, tenant_of
from tests.support.problems import problem
from tests.support.relays import Relay
from tests.support.running import make_app
from tests.support.tenants import make_smtp

KEY = {"Idempotency-Key": "k"}
MESSAGE = {"from": {"email": "news@acme.example"}, "to": [{"email": "anna@example.com"}], "subject": "Hi", "text": "Hi"}


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """An SMTP relay."""
    async with Relay().running() as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox, relay: Relay) -> AsyncIterator[httpx2.AsyncClient]:
    """The tenant `acme`, with that relay."""
    acme = ACCOUNTS[0]
    app = make_app([tenant_of(acme, sandbox.base_url, smtp=make_smtp(relay.port))], **POLICIES)
    async with app.router.lifespan_context(app), client_for(app, "acme") as made:
        yield made


async def test_is_handed_over_once_and_journaled(client: httpx2.AsyncClient, relay: Relay) -> None:
    first, again = [await client.post("/v1/messages", json=MESSAGE, headers=KEY) for _ in range(2)]
    assert first.status_code == 202, first.text
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    assert len(relay.messages) == 1
    found = (await client.get("/v1/campaigns/attempts/k")).json()
    assert (found["kind"], found["state"]) == ("message", "confirmed")
    assert found["message_id"] == first.json()["message_id"]


async def test_what_the_relay_refused_is_journaled_too(client: httpx2.AsyncClient, relay: Relay) -> None:
    relay.data_reply = "554 5.7.1 No"
    response = await client.post("/v1/messages", json=MESSAGE, headers=KEY)
    problem(response, 422, "upstream_rejected")
    found = (await client.get("/v1/campaigns/attempts/k")).json()
    assert (found["kind"], found["state"]) == ("message", "refused")
