"""Preflight in front of the sandbox: every check, and the tickets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from app.sandbox.state import AccountState
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from tests.resources.test_permission import HOLD, People, people, release
from tests.support.misbehaving import named, operations_of
from tests.support.problems import problem

Body = dict[str, Any]
Prepare = Callable[[AccountState], Any]


@pytest.fixture
async def who(sandbox: Sandbox) -> AsyncIterator[People]:
    async with people(sandbox, sends={"require_preflight": True}, duplicate_window=10) as made:
        yield made


@pytest.fixture
def body(sandbox: Sandbox) -> Body:
    """A campaign that nothing speaks against."""
    state = sandbox.state("seeded")
    return {
        "template_ids": list(state.templates)[:2],
        "list_id": next(iter(state.lists)),
        "sender": {"type": "address", "address": "news@seeded.example"},
        "from_name": "示例新闻",
        "schedule": HOLD,
    }


async def preflight(client: httpx2.AsyncClient, body: Body, **query: Any) -> dict[str, Any]:
    response = await client.post("/v1/campaigns/preflight", json=body, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {each["code"]: each["status"] for each in found["checks"]}


async def test_what_is_ready_gets_a_ticket(who: People, sandbox: Sandbox, body: Body) -> None:
    found = await preflight(who["ann"], body)
    assert set(statuses(found).values()) == {"pass"}, found
    assert len(found["checks"]) == 17
    assert (found["verdict"], found["recipients"]) == ("ready", {"from": 1, "to": None, "count": 60, "list_count": 60})
    assert found["credits"]["available"] > 0
    assert found["credits"]["expected"] > 0
    assert datetime.fromisoformat(found["expires_at"]) > datetime.now(UTC)
    assert "add-task" not in operations_of(sandbox)


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def _template(place: int) -> Callable[[AccountState], Body]:
    return lambda state: {"template_ids": [list(state.templates)[place]]}


def _list(place: int) -> Callable[[AccountState], Body]:
    return lambda state: {"list_id": list(state.lists)[place]}


def _profile(**fields: Any) -> Callable[[AccountState], Body]:
    def change(state: AccountState) -> Body:
        state.profile = replace(state.profile, **fields)
        return {}

    return change


def _says(**fields: Any) -> Callable[[AccountState], Body]:
    return lambda _: fields


def _at(days: int) -> Prepare:
    return lambda _: {"schedule": {"mode": "at", "at": in_days(days)}}


def _bare(state: AccountState) -> Body:
    next(iter(state.templates.values())).subjects.clear()
    return {}


FAILING: list[tuple[str, str, Prepare]] = [
    ("template_exists", "fail", _says(template_ids=[999_999])),
    ("template_approved", "fail", _template(3)),
    ("template_approved", "fail", _template(4)),
    ("template_subjects", "fail", _bare),
    ("list_exists", "fail", _says(list_id=999_999)),
    ("list_enabled", "fail", _list(3)),
    ("list_has_contacts", "fail", _list(4)),
    ("range_within_list", "fail", _says(recipients={"from": 900, "to": 9000})),
    ("range_within_list", "warn", _says(recipients={"from": 1, "to": 9000})),
    ("sender_domain_usable", "fail", _says(sender={"type": "domain", "domain": "foreign.example"})),
    ("sender_mailbox_exists", "fail", _says(sender={"type": "address", "address": "nobody@seeded.example"})),
    ("sender_mailbox_exists", "fail", _says(sender={"type": "domain", "domain": "foreign.example"})),
    ("service_enabled", "fail", _profile(status="disabled")),
    ("service_not_expired", "fail", _profile(days_left=-1)),
    ("service_not_expired", "fail", _says(schedule={"mode": "at", "at": in_days(400)})),
    ("quota_sufficient", "fail", _profile(bought=1)),
    ("scheduled_in_future", "fail", _at(-1)),
    ("scheduled_in_future", "unknown", _at(0)),
    ("unsubscribe_link_kept", "warn", _says(unsubscribe_link=False)),
    ("tracking_domain_usable", "fail", _says(tracking="opens", tracking_domain="t.foreign.example")),
    ("tracking_domain_usable", "unknown", _says(tracking="opens", tracking_domain="t.seeded.example")),
]


@pytest.mark.parametrize(
    ("code", "status", "prepare"), FAILING, ids=[f"{each[0]}-{n}" for n, each in enumerate(FAILING)]
)
async def test_what_speaks_against_it(
    who: People, sandbox: Sandbox, body: Body, code: str, status: str, prepare: Prepare
) -> None:
    found = await preflight(who["ann"], {**body, **prepare(sandbox.state("seeded"))})
    assert statuses(found)[code] == status, found
    assert (found["ticket"] is None) == ("fail" in statuses(found).values()) == (found["verdict"] == "blocked")


UNKNOWN = {
    "list-tpl": {"template_exists", "template_subjects", "unsubscribe_link_kept"},
    "get-tpl-status": {"template_approved"},
    "maillist-detail": {"list_exists", "list_enabled", "list_has_contacts", "range_within_list", "quota_sufficient"},
    "domain-list": {"sender_domain_usable", "tracking_domain_usable"},
    "mailbox-list": {"sender_mailbox_exists"},
    "service-info": {"service_enabled", "service_not_expired", "quota_sufficient"},
}


@pytest.mark.parametrize("operation", UNKNOWN)
async def test_what_cannot_be_asked_is_unknown(who: People, sandbox: Sandbox, body: Body, operation: str) -> None:
    sandbox.misbehave(Fault("status", operation=operation, times=None))
    changes = {"unsubscribe_link": False, "tracking": "opens", "tracking_domain": "t.seeded.example"}
    found = await preflight(who["ann"], {**body, **changes})
    unknown = {code for code, status in statuses(found).items() if status == "unknown"} | {"tracking_domain_usable"}
    assert unknown == UNKNOWN[operation] | {"tracking_domain_usable"}, found
    assert found["verdict"] == "warnings"


async def test_messages_come_in_chinese(who: People, body: Body) -> None:
    response = await who["ann"].post("/v1/campaigns/preflight", json=body, headers={"Accept-Language": "zh-CN"})
    assert response.json()["checks"][3]["message"] == "联系人分类存在。"


async def test_without_history_nothing_is_expected(who: People, sandbox: Sandbox, body: Body) -> None:
    sandbox.state("seeded").campaigns.clear()
    found = (await preflight(who["ann"], body))["credits"]
    assert (found["expected"], bool(found["expected_reason"])) == (None, True)


class TestTickets:
    async def test_a_ticket_is_demanded_and_good_once(self, who: People, sandbox: Sandbox, body: Body) -> None:
        problem(await who["ann"].post("/v1/campaigns", json=body), 428, "preflight_required")
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], body))["ticket"]}
        other = {**body, "from_name": "other"}
        problem(await who["ann"].post("/v1/campaigns", json=other, headers=ticket), 409, "ticket_invalid")
        assert (await who["bob"].post("/v1/campaigns", json=body, headers=ticket)).status_code == 201
        again = await who["ann"].post("/v1/campaigns?allow_duplicate=true", json=body, headers=ticket)
        assert "has used" in problem(again, 409, "ticket_invalid")["detail"]
        unknown = {"Preflight-Ticket": "pf_nothing"}
        again = await who["ann"].post("/v1/campaigns?allow_duplicate=true", json=other, headers=unknown)
        assert "no such" in problem(again, 409, "ticket_invalid")["detail"]
        assert operations_of(sandbox).count("add-task") == 1
        found = await preflight(who["ann"], body)
        assert (statuses(found)["no_recent_duplicate"], found["ticket"]) == ("fail", None)
        assert (await preflight(who["ann"], body, allow_duplicate="true"))["ticket"]

    async def test_equal_bodies_are_one_request(self, who: People, body: Body) -> None:
        at = {**body, "schedule": {"mode": "at", "at": "2026-12-20T09:30:00+08:00"}}
        ticket = (await preflight(who["ann"], at))["ticket"]
        same = {**at, "schedule": {"mode": "at", "at": "2026-12-20T01:30:00Z"}, "recipients": {"from": 1}}
        response = await who["ann"].post("/v1/campaigns", json=same, headers={"Preflight-Ticket": ticket})
        assert response.status_code == 201, response.text

    async def test_an_edit_voids_what_was_found(self, who: People, body: Body) -> None:
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], body))["ticket"]}
        made = (await who["ann"].post("/v1/campaigns", json=body, headers=ticket)).json()
        path = f"/v1/campaigns/{made['id']}"
        assert (await who["ann"].patch(path, json={"from_name": "changed"})).status_code == 200
        problem(await release(who["ann"], path), 428, "preflight_required")
        soon = {"mode": "at", "at": in_days(1)}
        changed = {**body, "from_name": "changed", "schedule": soon}
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], changed, campaign_id=made["id"]))["ticket"]}
        assert (await who["ann"].patch(path, json={"from_name": "again"})).status_code == 200
        answer = await who["ann"].post(f"{path}/release", json={"schedule": soon}, headers=ticket)
        problem(answer, 409, "ticket_invalid")
        again = {**body, "from_name": "again", "schedule": soon}
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], again, campaign_id=made["id"]))["ticket"]}
        answer = await who["ann"].post(f"{path}/release", json={"schedule": soon}, headers=ticket)
        assert answer.status_code == 200, answer.text

    async def test_a_change_made_elsewhere_voids_what_was_found(
        self, who: People, sandbox: Sandbox, body: Body
    ) -> None:
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], body))["ticket"]}
        made = (await who["ann"].post("/v1/campaigns", json=body, headers=ticket)).json()
        soon = {"mode": "at", "at": in_days(1)}
        later = {**body, "schedule": soon}
        ticket = {"Preflight-Ticket": (await preflight(who["ann"], later, campaign_id=made["id"]))["ticket"]}
        sandbox.state("seeded").campaigns[made["id"]].sender_name = "changed elsewhere"
        path = f"/v1/campaigns/{made['id']}/release"
        problem(await who["ann"].post(path, json={"schedule": soon}, headers=ticket), 409, "ticket_invalid")

    async def test_it_is_released_to_those_and_at_the_time_that_were_found(self, who: People, body: Body) -> None:
        ann, soon = who["ann"], {"mode": "at", "at": in_days(1)}
        ticket = {"Preflight-Ticket": (await preflight(ann, body))["ticket"]}
        path = f"/v1/campaigns/{(await ann.post('/v1/campaigns', json=body, headers=ticket)).json()['id']}"
        assert (await ann.patch(path, json={"from_name": "changed"})).status_code == 200
        described = {**body, "from_name": "changed"}
        wrong = [
            ({**described, "schedule": soon}, {"mode": "now"}),
            ({**described, "schedule": soon}, {"mode": "at", "at": in_days(0.9)}),
            (described, soon),
            ({**described, "recipients": {"from": 51}}, {"mode": "now"}),
        ]
        for found, schedule in wrong:
            ticket = {"Preflight-Ticket": (await preflight(ann, found, campaign_id=int(path[14:])))["ticket"]}
            answer = await ann.post(f"{path}/release", json={"schedule": schedule}, headers=ticket)
            problem(answer, 409, "ticket_invalid")
        ticket = {
            "Preflight-Ticket": (await preflight(ann, {**described, "schedule": soon}, campaign_id=int(path[14:])))[
                "ticket"
            ]
        }
        answer = await ann.post(f"{path}/release", json={"schedule": soon}, headers=ticket)
        assert answer.status_code == 200, answer.text

    async def test_a_campaign_as_it_was_found_is_released(self, who: People, body: Body) -> None:
        ticket = {"Preflight-Ticket": (await preflight(who["draft"], body))["ticket"]}
        made = (await who["draft"].post("/v1/campaigns", json=body, headers=ticket)).json()
        assert (await release(who["ann"], f"/v1/campaigns/{made['id']}")).status_code == 200

    async def test_a_hundred_at_once_in_two_gateways_send_once(
        self, sandbox: Sandbox, body: Body, database_url: str
    ) -> None:
        async with gateway(sandbox, database_url) as one, gateway(sandbox, database_url) as other:
            ticket = {"Preflight-Ticket": (await preflight(one["ann"], body))["ticket"]}
            asked = [who["ann"].post("/v1/campaigns", json=body, headers=ticket) for who in (one, other) * 50]
            answers = await asyncio.gather(*asked)
        codes = sorted(each.status_code for each in answers)
        assert codes.count(201) == 1
        assert len(named(sandbox, body["from_name"], "seeded")) == 1
        refused = {each.json()["code"] for each in answers if each.status_code != 201}
        assert refused <= {"ticket_invalid", "upstream_quota_exhausted"}
        assert operations_of(sandbox).count("add-task") == 1

    async def test_a_ticket_outlives_the_gateway_and_not_its_time(
        self, sandbox: Sandbox, body: Body, database_url: str
    ) -> None:
        async with gateway(sandbox, database_url) as who:
            kept, late = [{"Preflight-Ticket": (await preflight(who["ann"], body))["ticket"]} for _ in range(2)]
        database = Database(database_url)
        async with gateway(sandbox, database) as who:
            made = await who["ann"].post("/v1/campaigns", json=body, headers=kept)
            assert made.status_code == 201, made.text
            await database.write(expire_tickets)
            refused = await who["ann"].post("/v1/campaigns", json=body, headers=late)
            assert "expired" in problem(refused, 409, "ticket_invalid")["detail"]
        async with gateway(sandbox, database_url) as who:
            refused = await who["ann"].post("/v1/campaigns", json=body, headers=kept)
            assert "has used" in problem(refused, 409, "ticket_invalid")["detail"]
        assert operations_of(sandbox).count("add-task") == 1


def gateway(sandbox: Sandbox, database: Database | str) -> AbstractAsyncContextManager[People]:
    made = Database(database) if isinstance(database, str) else database
    return people(sandbox, sends={"require_preflight": True}, database=made)


def expire_tickets() -> Steps[None]:
    yield [Statement("UPDATE preflight_tickets SET expires_at = {now} - 1", {})]
