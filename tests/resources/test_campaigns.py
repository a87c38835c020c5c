"""Campaigns, from JSON to the platform and back: listing, creating and deleting them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.conftest import Clients
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, WRITE_KEY, make_tenant

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=CHINA)
BODY: dict[str, Any] = {
    "template_ids": [16],
    "list_id": 78,
    "sender": {"type": "address", "address": "news@example.com"},
    "from_name": "示例新闻",
    "schedule": {"mode": "hold"},
}


@pytest.fixture
def client(clients: Clients) -> httpx2.AsyncClient:
    """The tenant whose account has templates, contacts and campaigns."""
    return clients["seeded"]


@pytest.fixture
def body(sandbox: Sandbox) -> dict[str, Any]:
    """A held campaign that the seeded account can create."""
    state = sandbox.state("seeded")
    return {**BODY, "template_ids": list(state.templates)[:2], "list_id": next(iter(state.lists))}


class TestAuthentication:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/campaigns"),
            ("GET", "/v1/campaigns/1"),
            ("POST", "/v1/campaigns"),
            ("PATCH", "/v1/campaigns/1"),
            ("DELETE", "/v1/campaigns/1"),
        ],
    )
    async def test_without_a_key(self, offline: httpx2.AsyncClient, method: str, path: str) -> None:
        del offline.headers["Authorization"]
        problem(await offline.request(method, path), 401, "unauthenticated")

    @pytest.mark.parametrize("key", [READ_KEY, WRITE_KEY])
    async def test_creating_needs_the_scope_send(self, offline: httpx2.AsyncClient, key: str) -> None:
        response = await offline.post("/v1/campaigns", json=BODY, headers={"Authorization": f"Bearer {key}"})
        assert "`send`" in problem(response, 403, "insufficient_scope")["detail"]

    async def test_deleting_needs_the_scope_write(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.delete("/v1/campaigns/1", headers={"Authorization": f"Bearer {READ_KEY}"})
        problem(response, 403, "insufficient_scope")


class TestList:
    async def test_pages_without_a_total(self, client: httpx2.AsyncClient) -> None:
        response = await client.get("/v1/campaigns?page_size=2")
        assert response.json()["pagination"] == {"page": 1, "page_size": 2, "total": None, "has_more": True}
        assert 'page=2>; rel="next"' in response.headers["link"]
        last = (await client.get("/v1/campaigns?page_size=2&page=3")).json()
        assert (len(last["data"]), last["pagination"]["has_more"]) == (1, False)

    @pytest.mark.parametrize(
        ("status", "count"), [("sent", 3), ("held", 1), ("cancelled", 1), ("waiting", 0), ("sending", 0), ("paused", 0)]
    )
    async def test_by_status(self, client: httpx2.AsyncClient, status: str, count: int) -> None:
        found = (await client.get(f"/v1/campaigns?status={status}")).json()["data"]
        assert [campaign["status"] for campaign in found] == [status] * count

    async def test_by_day(self, client: httpx2.AsyncClient) -> None:
        sent = (await client.get("/v1/campaigns?status=sent")).json()["data"][0]
        response = await client.get("/v1/campaigns", params={"date": sent["started_at"][:10]})
        assert response.json()["data"] == [sent]

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("status=unknown", "status"),
            ("status=3", "status"),
            ("status=", "status"),
            ("date=2026-3-1", "date"),
            ("date=2026-03-01T00:00:00Z", "date"),
            ("page=0", "page"),
            ("page_size=501", "page_size"),
            ("id=5", "id"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, query: str, parameter: str) -> None:
        assert refused_fields(await offline.get(f"/v1/campaigns?{query}")) == {parameter}


class TestGet:
    async def test_shows_what_the_list_shows(self, client: httpx2.AsyncClient) -> None:
        listed = (await client.get("/v1/campaigns?page_size=1")).json()["data"][0]
        assert (await client.get(f"/v1/campaigns/{listed['id']}")).json() == listed

    async def test_is_the_tenants_own(self, client: httpx2.AsyncClient, clients: Clients) -> None:
        campaign_id = (await client.get("/v1/campaigns")).json()["data"][0]["id"]
        problem(await clients["acme"].get(f"/v1/campaigns/{campaign_id}"), 404, "not_found")

    @pytest.mark.parametrize("campaign_id", ["0", "-1", "x", "1,2", "99999999999999999999"])
    async def test_refused_ids(self, offline: httpx2.AsyncClient, campaign_id: str) -> None:
        assert refused_fields(await offline.get(f"/v1/campaigns/{campaign_id}")) == {"campaign_id"}


class TestCreate:
    async def test_answers_what_the_platform_then_has(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, body: dict[str, Any]
    ) -> None:
        body |= {"reply_to": "reply@example.com", "tracking": "opens", "tracking_domain": "t.example.com"}
        response = await client.post("/v1/campaigns", json={**body, "recipients": {"from": 3, "to": 8}})
        assert response.status_code == 201, response.text
        created = response.json()
        assert response.headers["location"] == f"/v1/campaigns/{created['id']}"
        assert sandbox.calls[-1].operation == "add-task"
        read = (await client.get(response.headers["location"])).json()
        named = {each["id"]: None for each in read["templates"] + read["lists"]}
        assert list(named) == [*body["template_ids"], body["list_id"]]
        assert {name for name in created if created[name] != read[name]} == {
            "batch",
            "templates",
            "lists",
            "recipient_count",
            "sent_count",
            "error_count",
        }
        campaign = sandbox.state("seeded").campaigns[created["id"]]
        assert (campaign.send_from, campaign.send_to, campaign.subs_link) == (3, 8, True)
        assert campaign.track_domain == "t.example.com"

    @pytest.mark.parametrize("sender", [{"type": "any"}, {"type": "domain", "domain": "example.com"}])
    async def test_senders(self, client: httpx2.AsyncClient, body: dict[str, Any], sender: dict[str, Any]) -> None:
        response = await client.post("/v1/campaigns", json={**body, "sender": sender})
        read = (await client.get(response.headers["location"])).json()
        assert read["sender"] == {"domain": None, "address": None, **sender} == response.json()["sender"]

    async def test_now_is_sent_at_once(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, body: dict[str, Any]
    ) -> None:
        created = (await client.post("/v1/campaigns", json={**body, "schedule": {"mode": "now"}})).json()
        assert sandbox.state("seeded").campaigns[created["id"]].started is not None

    async def test_at_waits(self, client: httpx2.AsyncClient, sandbox: Sandbox, body: dict[str, Any]) -> None:
        at = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
        schedule = {"mode": "at", "at": at.isoformat()}
        created = (await client.post("/v1/campaigns", json={**body, "schedule": schedule})).json()
        assert datetime.fromisoformat(created["scheduled_at"]) == at
        assert sandbox.state("seeded").campaigns[created["id"]].send_time == at

    @pytest.mark.parametrize(
        ("changes", "pointers"),
        [
            ({"template_ids": []}, {"/template_ids"}),
            ({"template_ids": [16, 17, 16]}, {"/template_ids"}),
            ({"template_ids": [0, "17", 1.5, None, True]}, {f"/template_ids/{place}" for place in range(5)}),
            ({"template_ids": "16,17"}, {"/template_ids"}),
            ({"list_id": "78"}, {"/list_id"}),
            ({"list_id": [78]}, {"/list_id"}),
            ({"from_name": ""}, {"/from_name"}),
            ({"from_name": "a\r\nBcc: b@example.com"}, {"/from_name"}),
            ({"reply_to": "a@example.com, b@example.com"}, {"/reply_to"}),
            ({"sender": {"type": "address"}}, {"/sender/address"}),
            ({"sender": {"type": "domain"}}, {"/sender/domain"}),
            ({"sender": {"type": "domain", "domain": "all"}}, {"/sender/domain"}),
            ({"sender": {"type": "address", "address": "all"}}, {"/sender/address"}),
            ({"sender": {"type": "any", "domain": "example.com"}}, {"/sender/domain"}),
            ({"sender": {"type": "domain", "address": "a@example.com"}}, {"/sender/domain", "/sender/address"}),
            ({"sender": {"type": "everyone", "domain": "example.com"}}, {"/sender/type"}),
            ({"sender": {"domain": "example.com"}}, {"/sender/type"}),
            ({"sender": None}, {"/sender"}),
            ({"schedule": None}, {"/schedule"}),
            ({"schedule": {}}, {"/schedule/mode"}),
            ({"schedule": {"mode": "later", "at": "x"}}, {"/schedule/mode", "/schedule/at"}),
            ({"schedule": {"mode": "at"}}, {"/schedule/at"}),
            ({"schedule": {"mode": "now", "at": "2999-01-01T00:00:00Z"}}, {"/schedule/at"}),
            ({"schedule": {"mode": "hold", "at": "2020-01-01T00:00:00Z"}}, {"/schedule/at"}),
            ({"schedule": {"mode": "at", "at": "2020-01-01T00:00:00Z"}}, {"/schedule/at"}),
            ({"recipients": None}, {"/recipients"}),
            ({"recipients": {"from": 0}}, {"/recipients/from"}),
            ({"recipients": {"from": 9, "to": 8}}, {"/recipients/to"}),
            ({"recipients": {"to": 0}}, {"/recipients/to"}),
            ({"recipients": {"first": 2}}, {"/recipients/first"}),
            ({"tracking": "clicks"}, {"/tracking"}),
            ({"tracking": 2}, {"/tracking"}),
            ({"tracking_domain": "https://t.example.com/"}, {"/tracking_domain"}),
            ({"tracking_domain": "t.example.com&status=2"}, {"/tracking_domain"}),
            ({"unsubscribe_link": 1}, {"/unsubscribe_link"}),
            ({"status": 2}, {"/status"}),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, changes: dict[str, Any], pointers: set[str]) -> None:
        assert refused_fields(await offline.post("/v1/campaigns", json={**BODY, **changes})) == pointers

    @pytest.mark.parametrize(
        ("at", "code"),
        [
            ("2999-01-01T00:00:00", "offset_missing"),
            ("2999-01-01 00:00:00+08:00", "time_format"),
            ("2999-01-01", "time_format"),
            ("2999-01-01T00Z", "time_format"),
            (32_472_144_000, "time_format"),
            ("2999-02-30T00:00:00Z", "time_value"),
            ("2999-01-01T00:00:00+24:00", "time_value"),
            ("9999-12-31T23:59:59Z", "time_range"),
            ("0001-01-01T00:00:00+14:00", "time_range"),
            ("2020-01-01T00:00:00Z", "time_in_past"),
        ],
    )
    async def test_refuses_times(self, offline: httpx2.AsyncClient, at: Any, code: str) -> None:
        response = await offline.post("/v1/campaigns", json={**BODY, "schedule": {"mode": "at", "at": at}})
        assert refused_fields(response) == {"/schedule/at"}
        assert [error["code"] for error in response.json()["errors"]] == [code]

    @pytest.mark.parametrize(("seconds", "status"), [(-61, 422), (-60, 201), (0, 201)])
    async def test_a_minute_of_grace(self, seconds: int, status: int) -> None:
        created = xml_reply("<result><status>success</status><id>5</id></result>")
        platform = FakePlatform([xml_reply("<task_list></task_list>"), created])
        at = (NOW + timedelta(seconds=seconds)).astimezone(UTC).isoformat()
        async with client_of(make_app([make_tenant()], platform.transport, now=lambda: NOW)) as client:
            response = await client.post("/v1/campaigns", json={**BODY, "schedule": {"mode": "at", "at": at}})
        assert response.status_code == status
        assert len(platform.requests) == (2 if status == 201 else 0)


class TestDelete:
    async def test_is_gone(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        location = (await client.post("/v1/campaigns", json=body)).headers["location"]
        response = await client.delete(location)
        assert (response.status_code, response.content) == (204, b"")
        problem(await client.get(location), 404, "not_found")
        problem(await client.delete(location), 404, "not_found")

    async def test_not_while_it_is_sent(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        created = await client.post("/v1/campaigns", json={**body, "schedule": {"mode": "now"}})
        problem(await client.delete(created.headers["location"]), 409, "conflict")
