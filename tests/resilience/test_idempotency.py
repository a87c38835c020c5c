"""What an `Idempotency-Key` promises, over several endpoints."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text

from app.sandbox import Fault, Sandbox
from app.storage.database.database import Database
from tests.support.misbehaving import (
    ACCOUNTS,
    POLICIES,
    client_for,
    gateway,
    named,
    new_campaign,
    operations_of,
    tenant_of,
)
from tests.support.problems import problem
from tests.support.running import make_app
from tests.support.sockets import until
from tests.support.tenants import READ_KEY

Clients = dict[str, httpx2.AsyncClient]

KEY = {"Idempotency-Key": "k"}
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
PATIENT: dict[str, Any] = {"interactive_timeout": 20, "write_timeout": 20}
FORGETFUL: dict[str, Any] = {"database_url": "sqlite:///unused.db", **PATIENT}


@pytest.fixture
async def clients(sandbox: Sandbox) -> AsyncIterator[Clients]:
    """A client per account."""
    async with gateway(sandbox.base_url, **PATIENT) as running:
        yield running


@contextmanager
def broken(url: str) -> Iterator[None]:
    """Make a database unusable for keys while the context is open."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE idempotency_keys RENAME TO gone"))
    yield
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO idempotency_keys"))
    engine.dispose()


def requests_for(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return a change for several endpoints, and by which call it reaches the platform."""
    state = sandbox.state("acme")
    list_id, template_id = next(iter(state.lists)), next(iter(state.templates))
    contact_id = next(iter(state.contacts))
    contact = {"email": "neu@example.com", "name": "Neu"}
    return {
        "maillist-add": {"method": "POST", "url": "/v1/lists", "json": {"name": "新"}},
        "maillist-edit": {"method": "PATCH", "url": f"/v1/lists/{list_id}", "json": {"name": "新"}},
        "ml-addr-del": {"method": "DELETE", "url": f"/v1/contacts/{contact_id}"},
        "ml-addr-add": {"method": "POST", "url": f"/v1/lists/{list_id}/contacts", "json": contact},
        "add-task": {"method": "POST", "url": "/v1/campaigns", "json": new_campaign(sandbox)},
        "tpl-attachment-add": {
            "method": "POST",
            "url": f"/v1/templates/{template_id}/attachments",
            "files": {"file": ("a.txt", b"text", "text/plain")},
        },
    }


OPERATIONS = ["maillist-add", "maillist-edit", "ml-addr-del", "ml-addr-add", "add-task", "tpl-attachment-add"]


@pytest.mark.parametrize("operation", OPERATIONS)
class TestEndpoint:
    async def test_a_repetition_gets_the_first_answer(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, operation: str
    ) -> None:
        request = requests_for(sandbox)[operation]
        # The client writes each multipart body with a boundary of its own.
        first, again = [await client.request(**request, headers=KEY) for _ in range(2)]
        assert first.status_code in {200, 201, 204}, first.text
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers.get("location") == first.headers.get("location")
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert operations_of(sandbox).count(operation) == 1

    async def test_it_is_not_carried_out_without_the_database(
        self, sandbox: Sandbox, tmp_path: Path, operation: str
    ) -> None:
        url = f"sqlite:///{tmp_path / 'gateway.db'}"
        async with gateway(sandbox.base_url, database=Database(url), **PATIENT) as clients:
            with broken(url):
                response = await clients["acme"].request(**requests_for(sandbox)[operation], headers=KEY)
        assert response.headers["retry-after"] == "5"
        problem(response, 503, "state_unavailable")
        assert operation not in operations_of(sandbox)

    async def test_an_unknown_outcome_is_not_tried_again(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, operation: str
    ) -> None:
        request = requests_for(sandbox)[operation]
        sandbox.misbehave(Fault("html_200", operation=operation))
        problem(await client.request(**request, headers=KEY), 504, "outcome_unknown")
        again = await client.request(**request, headers=KEY)
        assert again.status_code in {409, 504}
        assert operations_of(sandbox).count(operation) == 1


class TestKey:
    async def test_belongs_to_one_request(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        assert (await client.post("/v1/lists", json={"name": "A"}, headers=KEY)).status_code == 201
        others = [
            await client.post("/v1/lists", json={"name": "B"}, headers=KEY),
            await client.post("/v1/campaigns", json=new_campaign(sandbox), headers=KEY),
            await client.post("/v1/lists?x=1", json={"name": "A"}, headers=KEY),
            await client.delete("/v1/lists/1", headers=KEY),
        ]
        for response in others:
            problem(response, 422, "idempotency_key_reused")
        assert operations_of(sandbox) == ["maillist-add"]

    async def test_is_the_tenants_own(self, clients: Clients, sandbox: Sandbox) -> None:
        bodies = {name: new_campaign(sandbox, name) for name in clients}
        answers = [
            await client.post("/v1/campaigns", json=bodies[name], headers=KEY) for name, client in clients.items()
        ]
        assert [each.status_code for each in answers] == [201, 201]
        assert len({each.json()["id"] for each in answers}) == 2

    async def test_of_two_at_once_one_is_carried_out(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("latency", operation="add-task", delay=0.3))
        body = new_campaign(sandbox)
        first = asyncio.create_task(client.post("/v1/campaigns", json=body, headers=KEY))
        await until(lambda: "add-task" in operations_of(sandbox))
        second = await client.post("/v1/campaigns", json=body, headers=KEY)
        problem(second, 409, "idempotency_in_progress")
        assert second.headers["retry-after"] == "1"
        assert (await first).status_code == 201
        third = await client.post("/v1/campaigns", json=body, headers=KEY)
        assert (third.status_code, third.content) == (201, (await first).content)
        assert operations_of(sandbox).count("add-task") == 1

    @pytest.mark.parametrize(
        ("fault", "code", "calls"),
        [
            (Fault("wrong_credentials", operation="task-list"), "upstream_credentials_rejected", 1),
            (Fault("wrong_credentials", operation="add-task"), "upstream_credentials_rejected", 2),
            (Fault("status", operation="add-task", status=429), "upstream_quota_exhausted", 2),
            (Fault("status", operation="add-task", status=403), "upstream_error", 2),
        ],
    )
    async def test_may_be_used_again_if_nothing_was_sent(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, fault: Fault, code: str, calls: int
    ) -> None:
        sandbox.misbehave(fault)
        body = new_campaign(sandbox)
        refused = await client.post("/v1/campaigns", json=body, headers=KEY)
        assert refused.json()["code"] == code
        created = await client.post("/v1/campaigns", json=body, headers=KEY)
        assert created.status_code == 201
        assert "idempotency-replayed" not in created.headers
        assert operations_of(sandbox).count("add-task") == calls
        assert len(named(sandbox, body["from_name"])) == 1

    async def test_may_be_used_again_after_what_the_gateway_itself_refused(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        problem(await client.post("/v1/lists", json={}, headers=KEY), 422, "validation_failed")
        assert (await client.post("/v1/lists", json={"name": "A"}, headers=KEY)).status_code == 201

    async def test_keeps_what_the_platform_itself_refused(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        body = new_campaign(sandbox, list_id=999_999)
        answers = [await client.post("/v1/campaigns", json=body, headers=KEY) for _ in range(2)]
        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[1].headers["idempotency-replayed"] == "true"
        assert operations_of(sandbox).count("add-task") == 1

    @pytest.mark.parametrize("key", ["", "a b", "k" * 256, "schlüssel".encode()])
    async def test_has_a_form(self, client: httpx2.AsyncClient, sandbox: Sandbox, key: str | bytes) -> None:
        raw = key if isinstance(key, bytes) else key.encode()
        response = await client.post("/v1/lists", json={"name": "A"}, headers=[(b"Idempotency-Key", raw)])
        problem(response, 400, "malformed_request")
        assert not sandbox.calls

    async def test_does_not_matter_to_reads(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        for path in ("/v1/lists", "/v1/account"):
            assert (await client.get(path, headers=KEY)).status_code == 200


async def test_the_database_comes_back(sandbox: Sandbox, database_url: str) -> None:
    async with gateway(sandbox.base_url, database=Database(database_url), **PATIENT) as clients:
        first = await clients["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY)
        with broken(database_url):
            problem(await clients["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY), 503, "state_unavailable")
            assert (await clients["acme"].post("/v1/lists", json={"name": "B"})).status_code == 201
        again = await clients["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert operations_of(sandbox).count("maillist-add") == 2


async def test_gateways_with_one_database_share_keys(sandbox: Sandbox, database_url: str) -> None:
    common: dict[str, Any] = {"master_key": MASTER_KEY, **PATIENT}
    async with (
        gateway(sandbox.base_url, database=Database(database_url), **common) as one,
        gateway(sandbox.base_url, database=Database(database_url), **common) as other,
    ):
        first = await one["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY)
        again = await other["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    assert operations_of(sandbox) == ["maillist-add"]


async def test_a_restart_forgets_no_answer(sandbox: Sandbox, database_url: str) -> None:
    common: dict[str, Any] = {"master_key": MASTER_KEY, **PATIENT}
    body = new_campaign(sandbox)
    answers = []
    for _ in range(2):
        async with gateway(sandbox.base_url, database=Database(database_url), **common) as clients:
            answers.append(await clients["acme"].post("/v1/campaigns", json=body, headers=KEY))
    first, again = answers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (201, first.content)
    assert operations_of(sandbox).count("add-task") == 1


async def test_an_answer_that_cannot_be_read_any_more_is_said_to_have_been_given(
    sandbox: Sandbox, database_url: str
) -> None:
    answers = []
    for _ in range(2):
        # Each makes a master key of its own.
        async with gateway(sandbox.base_url, database=Database(database_url), **FORGETFUL) as clients:
            answers.append(await clients["acme"].post("/v1/lists", json={"name": "A"}, headers=KEY))
    assert answers[0].status_code == 201
    assert "answered with 201" in problem(answers[1], 409, "conflict")["detail"]
    assert operations_of(sandbox) == ["maillist-add"]


async def test_an_answer_is_given_again_only_to_who_could_have_asked(sandbox: Sandbox) -> None:
    app = make_app([tenant_of(ACCOUNTS[0], sandbox.base_url)], **{**POLICIES, **PATIENT})
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        assert (await client.post("/v1/lists", json={"name": "A"}, headers=KEY)).status_code == 201
        client.headers["X-API-Key"] = f"{READ_KEY}acme"
        problem(await client.post("/v1/lists", json={"name": "A"}, headers=KEY), 403, "insufficient_scope")
