"""Changing campaigns: what is not named stays as it is, above all whether and to whom it is sent."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from app.sandbox.state import HELD, WAITING
from app.tenants.models import ApiKey, Scope
from app.tenants.store import hash_key
from tests.conftest import Clients
from tests.support.platform import FakePlatform, describe, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, WRITE_KEY, make_tenant

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=CHINA)
TASK = """<task_list><task><id>5</id><sn>20260301-1-5</sn><acct_type>{acct_type}</acct_type>
<acct_domain>{domain}</acct_domain><acct_address>{address}</acct_address><sender></sender><replyto></replyto>
<sender_name></sender_name><templates></templates><addr_type>0</addr_type><listes></listes><send_qty>{limit}</send_qty>
<send_qty_remak>9</send_qty_remak><send_time>{time}</send_time><time_start></time_start><time_end></time_end>
<send_count>0</send_count><error_count>0</error_count><send_status>{status}</send_status><track_status>0</track_status>
</task></task_list>"""
PRESENT = {
    "acct_type": "address",
    "domain": "",
    "address": "news@example.com",
    "limit": "0",
    "time": "2026-03-02 09:30:00",
    "status": "-1",
}
EVERYONE = {"recipients": {"from": 1}}
"""What an edit must say of a campaign that the journal does not know."""
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def client(clients: Clients) -> httpx2.AsyncClient:
    """The tenant whose account has templates, contacts and campaigns."""
    return clients["seeded"]


async def create(client: httpx2.AsyncClient, sandbox: Sandbox, **changes: Any) -> int:
    state = sandbox.state("seeded")
    body = {
        "template_ids": list(state.templates)[:1],
        "list_id": next(iter(state.lists)),
        "sender": {"type": "address", "address": "news@example.com"},
        "from_name": "示例新闻",
        "schedule": {"mode": "hold"},
    }
    response = await client.post("/v1/campaigns", json={**body, **changes})
    assert response.status_code == 201, response.text
    created: int = response.json()["id"]
    return created


def range_of(sandbox: Sandbox, campaign_id: int) -> tuple[int, int]:
    campaign = sandbox.state("seeded").campaigns[campaign_id]
    return campaign.send_from, campaign.send_to


async def edit(body: dict[str, Any], **present: str) -> tuple[httpx2.Response, list[str]]:
    """Send a PATCH to a campaign in a given state; return the answer and what the platform was asked."""
    platform = FakePlatform([xml_reply(TASK.format(**{**PRESENT, **present}))])
    async with client_of(make_app([make_tenant()], platform.transport, now=lambda: NOW)) as client:
        response = await client.patch("/v1/campaigns/5", json={**EVERYONE, **body})
    return response, [request.url.params["do"] for request in platform.requests]


class TestScopes:
    async def test_a_reader_may_not(self, offline: httpx2.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {READ_KEY}"}
        for body in ({"from_name": "x"}, {"schedule": {"mode": "now"}}, {"nonsense": 1}):
            problem(await offline.patch("/v1/campaigns/5", json=body, headers=headers), 403, "insufficient_scope")

    @pytest.mark.parametrize("schedule", [{"mode": "now"}, {"mode": "at", "at": LATER}])
    async def test_releasing_needs_the_scope_send(self, offline: httpx2.AsyncClient, schedule: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {WRITE_KEY}"}
        response = await offline.patch("/v1/campaigns/5", json={"schedule": schedule}, headers=headers)
        assert "`send`" in problem(response, 403, "insufficient_scope")["detail"]

    @pytest.mark.parametrize(
        "body", [{"schedule": {"mode": "hold"}}, {"from_name": "x"}, {"from_name": "x", "schedule": {"mode": "now"}}]
    )
    async def test_any_other_change_of_a_waiting_campaign_needs_the_scope_write(self, body: dict[str, Any]) -> None:
        response = await self._as_sender(body, "1")
        assert "`write`" in problem(response, 403, "insufficient_scope")["detail"]

    async def test_a_sender_may_release(self) -> None:
        assert (await self._as_sender({"schedule": {"mode": "now"}}, "3")).status_code == 409

    @staticmethod
    async def _as_sender(body: dict[str, Any], status: str) -> httpx2.Response:
        key = ApiKey(id="sender", sha256=hash_key("umg_sender"), scopes=frozenset({Scope.SEND}))
        platform = FakePlatform([xml_reply(TASK.format(**{**PRESENT, "status": status}))])
        app = make_app([make_tenant(keys=(key,))], platform.transport)
        async with client_of(app, "umg_sender") as client:
            response = await client.patch("/v1/campaigns/5", json=body)
        assert [request.url.params["do"] for request in platform.requests] == ["task-list"]
        return response


class TestKeeping:
    async def test_a_held_campaign_stays_held(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox, sender={"type": "domain", "domain": "a.example"})
        before = sandbox.state("seeded").campaigns[campaign_id]
        kept = (before.sender, before.send_from, before.send_to, before.send_time)
        response = await client.patch(f"/v1/campaigns/{campaign_id}", json={"from_name": "示例资讯"})
        assert (response.json()["from_name"], response.json()["status"]) == ("示例资讯", "held")
        after = sandbox.state("seeded").campaigns[campaign_id]
        assert (after.status, after.started) == (HELD, None)
        assert (after.sender, after.send_from, after.send_to, after.send_time) == kept
        assert sandbox.calls[-2].form["send_status"] == "-1"

    async def test_a_waiting_campaign_keeps_its_time(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox, schedule={"mode": "at", "at": LATER})
        time = sandbox.state("seeded").campaigns[campaign_id].send_time
        response = await client.patch(f"/v1/campaigns/{campaign_id}", json={"tracking": "opens"})
        assert (response.json()["tracking"], response.json()["status"]) == ("opens", "waiting")
        assert sandbox.state("seeded").campaigns[campaign_id].send_time == time

    async def test_the_whole_list_is_named_to_the_platform(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox)
        assert (await client.patch(f"/v1/campaigns/{campaign_id}", json={"from_name": "x"})).status_code == 200
        form = sandbox.calls[-2].form
        assert (form["send_qty_start"], form["send_qty"]) == ("1", "0")

    async def test_a_range_from_the_first_keeps_its_end(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox, recipients={"to": 8})
        assert (await client.patch(f"/v1/campaigns/{campaign_id}", json={"from_name": "x"})).status_code == 200
        assert range_of(sandbox, campaign_id) == (1, 8)

    async def test_a_range_to_the_end_is_not_widened(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox, recipients={"from": 5})
        path = f"/v1/campaigns/{campaign_id}"
        for body in ({"from_name": "x"}, {"schedule": {"mode": "at", "at": LATER}}, {"schedule": {"mode": "hold"}}):
            assert refused_fields(await client.patch(path, json=body)) == {"/recipients"}
            assert range_of(sandbox, campaign_id) == (5, 0)
        assert "edit-task" not in [call.operation for call in sandbox.calls]

    async def test_what_was_created_elsewhere_must_be_named(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox)
        campaigns = sandbox.state("seeded").campaigns
        campaigns[999_999] = replace(campaigns[campaign_id], id=999_999)
        assert refused_fields(await client.patch("/v1/campaigns/999999", json={"from_name": "x"})) == {"/recipients"}

    async def test_an_end_changed_elsewhere_makes_the_start_unknown(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        campaign_id = await create(client, sandbox)
        sandbox.state("seeded").campaigns[campaign_id].send_to = 9
        response = await client.patch(f"/v1/campaigns/{campaign_id}", json={"from_name": "x"})
        assert refused_fields(response) == {"/recipients"}

    @pytest.mark.parametrize("schedule", [{}, {"schedule": {"mode": "at", "at": LATER}}])
    async def test_edits_of_the_range_are_noted(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, schedule: dict[str, Any]
    ) -> None:
        campaign_id = await create(client, sandbox)
        path, plain = f"/v1/campaigns/{campaign_id}", {"from_name": "x"}
        assert (await client.patch(path, json={"recipients": {"from": 2}, **schedule})).status_code == 200
        assert refused_fields(await client.patch(path, json=plain)) == {"/recipients"}
        assert (await client.patch(path, json={"recipients": {"to": 9}, **schedule})).status_code == 200
        assert (await client.patch(path, json=plain)).status_code == 200
        assert range_of(sandbox, campaign_id) == (1, 9)

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
    async def test_an_edit_of_the_range_whose_fate_is_unknown(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, kind: str
    ) -> None:
        campaign_id = await create(client, sandbox)
        path = f"/v1/campaigns/{campaign_id}"
        sandbox.misbehave(Fault(kind, operation="edit-task", times=None))
        problem(await client.patch(path, json={"recipients": {"from": 2}}), 504, "outcome_unknown")
        sandbox.clear_faults()
        # It may still be on its way, so that no later edit makes the start known again.
        assert (await client.patch(path, json=EVERYONE)).status_code == 200
        assert refused_fields(await client.patch(path, json={"from_name": "x"})) == {"/recipients"}

    async def test_a_refused_edit_of_the_range_changes_nothing(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        campaign_id = await create(client, sandbox)
        path = f"/v1/campaigns/{campaign_id}"
        sandbox.misbehave(Fault("status", operation="edit-task", status=403))
        problem(await client.patch(path, json={"recipients": {"from": 2}}), 502, "upstream_error")
        assert (await client.patch(path, json={"from_name": "x"})).status_code == 200

    async def test_a_range_must_be_named_again(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox, recipients={"from": 3, "to": 8})
        path = f"/v1/campaigns/{campaign_id}"
        assert refused_fields(await client.patch(path, json={"from_name": "x"})) == {"/recipients"}
        assert sandbox.calls[-1].operation == "task-list"
        response = await client.patch(path, json={"from_name": "x", "recipients": {"from": 3, "to": 8}})
        assert response.json()["recipient_count"] == 6

    async def test_releasing_and_holding(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        campaign_id = await create(client, sandbox)
        path, campaigns = f"/v1/campaigns/{campaign_id}", sandbox.state("seeded").campaigns
        released = await client.patch(path, json={"schedule": {"mode": "at", "at": LATER}})
        assert (released.json()["status"], released.json()["scheduled_at"]) == ("waiting", "2999-01-01T08:00:00+08:00")
        assert campaigns[campaign_id].status == WAITING
        held = await client.patch(path, json={"schedule": {"mode": "hold"}})
        assert held.json() == {**released.json(), "status": "held", "status_code": -1}
        assert campaigns[campaign_id].status == HELD
        now = await client.patch(path, json={"schedule": {"mode": "now"}})
        assert now.json()["status"] == "sending"
        problem(await client.patch(path, json={"schedule": {"mode": "hold"}}), 409, "conflict")
        assert sandbox.calls[-1].operation == "task-list"

    async def test_every_field(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        state = sandbox.state("seeded")
        templates, lists = list(state.templates), list(state.lists)
        campaign_id = await create(client, sandbox)
        body = {
            "template_ids": templates[1:3],
            "list_id": lists[1],
            "sender": {"type": "any"},
            "from_name": "New name",
            "reply_to": "reply@example.com",
            "recipients": {"from": 2, "to": 3},
            "tracking": "opens_and_clicks",
            "tracking_domain": "t.example.com",
            "unsubscribe_link": False,
        }
        answer = (await client.patch(f"/v1/campaigns/{campaign_id}", json=body)).json()
        assert [each["id"] for each in answer["templates"]] == body["template_ids"]
        assert [each["id"] for each in answer["lists"]] == [body["list_id"]]
        assert answer["sender"] == {"type": "any", "domain": None, "address": None}
        unchanged = ("from_name", "reply_to", "tracking")
        assert {name: answer[name] for name in unchanged} == {name: body[name] for name in unchanged}
        campaign = state.campaigns[campaign_id]
        assert (campaign.send_from, campaign.send_to, campaign.status) == (2, 3, HELD)
        assert (campaign.track_domain, campaign.subs_link) == ("t.example.com", False)


class TestWhatIsPromised:
    @pytest.mark.parametrize(
        ("body", "form"),
        [
            ({"from_name": "x"}, {"send_status": "-1", "send_time": "2026-03-02 09:30:00"}),
            ({"schedule": {"mode": "now"}}, {"send_status": "2", "send_time": "2026-03-01 12:00:06"}),
            (
                {"schedule": {"mode": "hold", "at": "2026-03-05T09:30+08:00"}},
                {"send_status": "-1", "send_time": "2026-03-05 09:30:00"},
            ),
            ({"reply_to": None, "tracking_domain": None}, {"send_replyto": "", "track_domain": ""}),
        ],
    )
    async def test_of_a_paused_campaign(self, body: dict[str, Any], form: dict[str, str]) -> None:
        platform = FakePlatform([xml_reply(TASK.format(**{**PRESENT, "status": "-2"}))])
        async with client_of(make_app([make_tenant()], platform.transport, now=lambda: NOW)) as client:
            await client.patch("/v1/campaigns/5", json={**EVERYONE, **body})
        assert describe(platform.requests[1])["form"].items() >= form.items()


class TestRefusals:
    @pytest.mark.parametrize("status", ["2", "3", "-3", "9", ""])
    @pytest.mark.parametrize(
        "body", [{"from_name": "x"}, {"schedule": {"mode": "now"}}, {"schedule": {"mode": "hold"}}]
    )
    async def test_a_state_that_an_edit_cannot_keep(self, body: dict[str, Any], status: str) -> None:
        response, calls = await edit(body, status=status)
        problem(response, 409, "conflict")
        assert calls == ["task-list"]

    @pytest.mark.parametrize("time", ["2026-03-01 12:01:00", "2026-02-01 00:00:00", "0000-00-00 00:00:00"])
    async def test_a_campaign_about_to_start(self, time: str) -> None:
        for body in ({"from_name": "x"}, {"schedule": {"mode": "now"}}, {"schedule": {"mode": "at", "at": LATER}}):
            response, calls = await edit(body, status="1", time=time)
            problem(response, 409, "conflict")
            assert calls == ["task-list"]

    async def test_a_campaign_about_to_start_can_be_held(self) -> None:
        _, calls = await edit({"schedule": {"mode": "hold"}}, status="1", time="2026-03-01 12:00:05")
        assert calls == ["task-list", "edit-task"]

    @pytest.mark.parametrize(
        ("present", "pointers"),
        [
            ({"acct_type": "group"}, {"/sender"}),
            ({"acct_type": ""}, {"/sender"}),
            ({"address": ""}, {"/sender"}),
            ({"acct_type": "domain"}, {"/sender"}),
        ],
    )
    async def test_what_cannot_be_repeated_must_be_named(self, present: dict[str, str], pointers: set[str]) -> None:
        response, calls = await edit({"from_name": "x"}, **present)
        assert refused_fields(response) == pointers
        assert calls == ["task-list"]
        named = {"from_name": "x", "sender": {"type": "any"}}
        assert (await edit(named, **present))[1][:2] == ["task-list", "edit-task"]

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, {""}),
            ({"schedule": None}, {"/schedule"}),
            ({"schedule": {"mode": "at"}}, {"/schedule/at"}),
            ({"schedule": {"mode": "at", "at": "2020-01-01T00:00:00Z"}}, {"/schedule/at"}),
            ({"sender": None}, {"/sender"}),
            ({"sender": {"type": "domain"}}, {"/sender/domain"}),
            ({"recipients": None}, {"/recipients"}),
            ({"recipients": {"from": 2, "to": 1}}, {"/recipients/to"}),
            ({"template_ids": None}, {"/template_ids"}),
            ({"template_ids": []}, {"/template_ids"}),
            ({"list_id": 0}, {"/list_id"}),
            ({"from_name": "\n"}, {"/from_name"}),
            ({"status": "waiting"}, {"/status"}),
        ],
    )
    async def test_bad_bodies(self, offline: httpx2.AsyncClient, body: dict[str, Any], pointers: set[str]) -> None:
        assert refused_fields(await offline.patch("/v1/campaigns/5", json=body)) == pointers

    async def test_unknown_campaign(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        problem(await client.patch("/v1/campaigns/4711", json={"from_name": "x"}), 404, "not_found")
        assert sandbox.calls[-1].operation == "task-list"

    async def test_a_failed_read_changes_nothing(self) -> None:
        platform = FakePlatform([xml_reply("<html></html>")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            response = await client.patch("/v1/campaigns/5", json={"from_name": "x"})
        problem(response, 502, "upstream_malformed")
        assert len(platform.requests) == 1


async def test_an_edit_does_not_undo_a_hold_that_comes_in_between(clients: Clients, sandbox: Sandbox) -> None:
    """An edit repeats the status it has read; one that is slow must not release what was held meanwhile."""
    client = clients["seeded"]
    lists = (await client.get("/v1/lists")).json()["data"]
    templates = (await client.get("/v1/templates")).json()["data"]
    body = {
        "template_ids": [templates[0]["id"]],
        "list_id": lists[0]["id"],
        "sender": {"type": "any"},
        "from_name": "示例",
        "schedule": {"mode": "at", "at": "2099-01-01T00:00:00Z"},
    }
    path = (await client.post("/v1/campaigns", json=body)).headers["location"]
    sandbox.misbehave(Fault(kind="latency", operation="edit-task", delay=0.3))
    renaming = asyncio.create_task(client.patch(path, json={"from_name": "新名"}))
    while not any(call.operation == "task-list" for call in sandbox.calls):  # noqa: ASYNC110 - another task's doing
        await asyncio.sleep(0.01)
    held = await client.patch(path, json={"schedule": {"mode": "hold"}})
    assert (await renaming).status_code == held.status_code == 200
    assert (await client.get(path)).json()["status"] == "held"
