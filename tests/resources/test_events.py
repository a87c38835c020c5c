"""Events over HTTP: pages by cursor, streams that go on, whose they are."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.main import create_app
from app.resources.events.stream import EventStream
from app.sandbox import Account, Sandbox
from app.sandbox.times import Pace
from app.storage.events.feed import EventFeed
from app.storage.events.log import NewEvent, appending
from app.tenants.vault import generate_master_key
from tests.support.databases import fresh_database
from tests.support.problems import problem, refused_fields
from tests.support.running import make_app, make_settings
from tests.support.sockets import served, until
from tests.support.tenants import BASE_URL, KEY, make_tenant

ACCOUNTS = [
    Account(username="seeded", password="seeded", role="customer", seeded=True),
    Account(username="rival", password="rival", role="customer", seeded=True),
]
QUICK = Pace(
    sending=timedelta(seconds=0.5),
    review=timedelta(seconds=0.2),
    importing=timedelta(seconds=0.2),
    check=timedelta(seconds=0.2),
)
STREAM = {"Accept": "text/event-stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Clients of a gateway that watches two accounts, each with something that has happened."""
    async with Sandbox(accounts=ACCOUNTS, pace=QUICK) as sandbox:
        tenants = [
            make_tenant(
                tenant_id=each.username,
                base_url=sandbox.base_url,
                password=each.password,
                suffix=each.username,
                events={"requests_per_minute": 6000},
            )
            for each in ACCOUNTS
        ]
        app = make_app(tenants, events_in_serve=True)
        async with served(app) as port:
            made = {
                each.id: httpx2.AsyncClient(
                    base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY + each.id}, timeout=20
                )
                for each in tenants
            }
            for client in made.values():
                await client.get("/v1/events")
            yield made
            for client in made.values():
                await client.aclose()


async def happen(client: httpx2.AsyncClient) -> None:
    """Have something happen that events tell of."""
    lists = (await client.get("/v1/lists")).json()["data"]
    template = {"name": "n", "subjects": ["s"], "html": "<p>示例</p>"}
    made = (await client.post("/v1/templates", json=template)).json()["id"]
    campaign = {
        "template_ids": [made],
        "list_id": lists[0]["id"],
        "sender": {"type": "any"},
        "from_name": "示例",
        "schedule": {"mode": "now"},
    }
    assert (await client.post("/v1/campaigns", json=campaign)).status_code == 201
    rows = {"contacts": [{"email": "li.na@example.com"}]}
    assert (await client.post(f"/v1/lists/{lists[0]['id']}/imports", json=rows)).status_code == 202
    assert (await client.post("/v1/domains", json={"domain": "soon.example.com"})).status_code == 201


async def streamed(client: httpx2.AsyncClient, until: int, **headers: str) -> list[dict[str, object]]:
    """Read a stream until it has told of so many things."""
    found: list[dict[str, object]] = []
    async with client.stream("GET", "/v1/events", headers=STREAM | headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == until:
                    break
    return found


@pytest.mark.asyncio(loop_scope="module")
class TestEvents:
    async def test_what_happens_is_told_as_its_own_path_gives_it(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        client = clients["seeded"]
        watching = asyncio.create_task(streamed(client, 6))
        await happen(client)
        events = await asyncio.wait_for(watching, 30)
        assert {str(each["type"]) for each in events} >= {"campaign.created", "campaign.finished", "template.approved"}
        finished = next(each for each in events if each["type"] == "campaign.finished")
        data = finished["data"]
        assert isinstance(data, dict)
        assert data == (await client.get(f"/v1/campaigns/{data['id']}")).json()
        assert finished["previous"]

    async def test_pages_follow_one_another(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        client = clients["seeded"]
        whole = (await client.get("/v1/events", params={"limit": 500})).json()["data"]
        ids = [each["id"] for each in whole]
        assert len(ids) >= 6
        assert ids == sorted(set(ids))
        found: list[Any] = []
        after: dict[str, str] = {}
        while page := (answer := (await client.get("/v1/events", params={"limit": 2, **after})).json())["data"]:
            found += page
            after = {"after": answer["next"]}
        assert answer["next"] == ids[-1]
        assert found[: len(whole)] == whole
        chosen = (await client.get("/v1/events", params={"type": "campaign.created,template.approved"})).json()["data"]
        assert {each["type"] for each in chosen} == {"campaign.created", "template.approved"}

    async def test_a_stream_goes_on_where_it_was(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        client = clients["seeded"]
        whole = (await client.get("/v1/events")).json()["data"]
        assert await streamed(client, 3, **{"Last-Event-ID": whole[1]["id"]}) == whole[2:5]

    async def test_nobody_reads_what_is_anothers(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        ours, theirs = clients["seeded"], clients["rival"]
        known = (await ours.get("/v1/events")).json()
        assert known["data"]
        assert (await theirs.get("/v1/events")).json() == {"data": [], "next": None}
        refused = await theirs.get("/v1/events", params={"after": known["next"]})
        problem(refused, 422, "validation_failed")
        assert refused_fields(refused) == {"after"}

    async def test_what_cannot_be(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        client = clients["seeded"]
        for query in ({"after": "evt_1"}, {"type": "nothing.happened"}, {"limit": "0"}, {"after": "é"}):
            problem(await client.get("/v1/events", params=query), 422, "validation_failed")
        problem(await client.get("/v1/events", headers={"X-API-Key": "wrong"}), 401, "unauthenticated")


async def test_a_quiet_stream_shows_that_it_lives_and_ends_with_the_gateway() -> None:
    database, over = fresh_database(), asyncio.Event()
    sent: list[Any] = []
    async with database.running():
        feed = EventFeed(database, poll=0.01)
        async with feed.running():
            await feed.want("acme", 60)

            async def send(message: Any) -> None:
                sent.append(message)

            async def receive() -> Any:
                await asyncio.Event().wait()

            async def admitted() -> bool:
                return True

            stream = EventStream(
                feed,
                "acme",
                0,
                (),
                zone=UTC,
                admitted=admitted,
                begun=lambda: None,
                ending=over.is_set,
                heart_beat=0.01,
                look_up=0.01,
            )
            streaming = asyncio.create_task(stream({}, receive, send))
            await until(lambda: b": still here\n\n" in [each.get("body") for each in sent])
            event = NewEvent(type="message.submitted", resource="message/1", data='{"message_id":"<1@example.com>"}')
            await database.write(lambda: appending("acme", [event]))
            await until(lambda: any(b"event: message.submitted" in each.get("body", b"") for each in sent))
            over.set()
            await asyncio.wait_for(streaming, 5)
            assert sent[-1]["more_body"] is False
            assert feed.count() == 0


async def test_a_stream_ends_with_what_let_it_in() -> None:
    token, ahead = "operators-token-of-forty-characters-here", timedelta()
    settings = make_settings(tenants_url="database", master_key=generate_master_key(), admin_token=token)
    database = fresh_database()
    app = create_app(settings, database=database, now=lambda: datetime.now(UTC) + ahead)
    event = NewEvent(type="message.submitted", resource="message/1", data='{"message_id":"<1@example.com>"}')
    async with (
        served(app) as port,
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=10
        ) as operators,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        upstream = {"base_url": BASE_URL, "username": "acme", "password": "secret"}
        tenant = {"id": "acme", "name": "Acme", "upstream": upstream}
        assert (await operators.post("/admin/v1/tenants?force=true", json=tenant)).status_code == 201
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

        async def key(name: str, **fields: str) -> dict[str, str]:
            made = await operators.post("/admin/v1/tenants/acme/keys", json={"id": name, "scopes": ["read"], **fields})
            return {"X-API-Key": made.json()["key"]}

        lasting = await key("lasting")
        for end in ("revoked", "disabled", "expired"):
            mine = await key(end, expires_at=expires)
            async with asyncio.timeout(10), client.stream("GET", "/v1/events", headers=STREAM | mine) as answer:
                lines = answer.aiter_lines()
                assert await anext(lines) == "retry: 2000"
                await database.write(lambda: appending("acme", [event]))
                async for line in lines:
                    if line.startswith("data: "):
                        break
                if end == "revoked":
                    assert (await operators.delete("/admin/v1/tenants/acme/keys/revoked")).status_code == 200
                elif end == "disabled":
                    await operators.patch("/admin/v1/tenants/acme", json={"enabled": False})
                else:
                    ahead = timedelta(hours=2)
                await database.write(lambda: appending("acme", [event]))
                assert [line async for line in lines if line.startswith("data: ")] == [], end
            await operators.patch("/admin/v1/tenants/acme", json={"enabled": True})
        told = (await client.get("/v1/events", headers=lasting)).json()["data"]
        assert len(told) == 6
