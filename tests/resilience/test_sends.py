"""A campaign is created at most once, and what became of it is found out where the platform did not say."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from tests.support.misbehaving import gateway, named, new_campaign, operations_of
from tests.support.problems import problem
from tests.support.sockets import until

Clients = dict[str, httpx2.AsyncClient]


@pytest.fixture
async def clients(sandbox: Sandbox) -> AsyncIterator[Clients]:
    """A client per account; only changes run out of time soon."""
    async with gateway(sandbox.base_url, interactive_timeout=20) as running:
        yield running


LOST_AFTER = ["reset_after", "close_after", "hang_after", "truncate", "cut_xml"]
LOST_BEFORE = ["reset_before", "hang_before", "html_200", "html_500", "status"]


def lose(sandbox: Sandbox, kind: str, **fields: Any) -> None:
    """Have the platform not answer the next creation."""
    sandbox.misbehave(Fault(kind, operation="add-task", **fields))


async def create(client: httpx2.AsyncClient, body: dict[str, Any], key: str = "", **query: str) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/v1/campaigns", json=body, headers=headers, params=query)


async def attempt(client: httpx2.AsyncClient, key: str) -> dict[str, Any]:
    response = await client.get(f"/v1/campaigns/attempts/{key}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


class TestLostAnswer:
    @pytest.mark.parametrize("kind", LOST_AFTER)
    @pytest.mark.parametrize("mode", ["now", "at", "hold"])
    async def test_what_was_created_is_found(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, kind: str, mode: str
    ) -> None:
        lose(sandbox, kind)
        body = new_campaign(sandbox, from_name="Lost")
        response = await create(client, body if mode == "at" else {**body, "schedule": {"mode": mode}}, "k")
        assert response.status_code == 201, response.text
        assert named(sandbox, "Lost") == [response.json()["id"]]
        assert response.headers["location"] == f"/v1/campaigns/{response.json()['id']}"
        assert operations_of(sandbox).count("add-task") == 1
        asked = len(sandbox.calls)
        found = await attempt(client, "k")
        # What is confirmed is not asked for again.
        assert len(sandbox.calls) == asked
        assert (found["state"], found["campaign_id"]) == ("confirmed", response.json()["id"])

    @pytest.mark.parametrize("kind", LOST_BEFORE)
    async def test_what_does_not_show_stays_unknown(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, kind: str
    ) -> None:
        lose(sandbox, kind)
        body = problem(await create(client, new_campaign(sandbox), "k"), 504, "outcome_unknown")
        assert "attempts/k" in body["detail"]
        assert operations_of(sandbox).count("add-task") == 1
        found = await attempt(client, "k")
        assert (found["state"], found["campaign_id"], found["kind"]) == ("unknown", None, "campaign_created")

    async def test_it_is_looked_for_until_it_shows(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        lose(sandbox, "reset_after")
        creating = asyncio.create_task(create(client, new_campaign(sandbox, from_name="Late")))
        await until(lambda: "add-task" in operations_of(sandbox))
        campaigns = sandbox.state("acme").campaigns
        hidden = campaigns.pop(named(sandbox, "Late")[0])
        await until(lambda: operations_of(sandbox)[-1] == "task-list")
        campaigns[hidden.id] = hidden
        response = await creating
        assert response.status_code == 201, response.text
        assert response.json()["id"] == hidden.id

    async def test_looking_again_finds_it(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        lose(sandbox, "reset_after")
        sandbox.misbehave(Fault("latency", operation="task-list"))
        sandbox.misbehave(Fault("status", operation="task-list", times=None))
        body = problem(await create(client, new_campaign(sandbox), "k"), 504, "outcome_unknown")
        assert "upstream_error" in body["detail"]
        sandbox.clear_faults()
        found = await attempt(client, "k")
        (created,) = named(sandbox, "示例新闻")
        assert (found["state"], found["campaign_id"], found["detail"]) == ("confirmed", created, None)
        assert await attempt(client, "k") == {**found, "updated_at": (await attempt(client, "k"))["updated_at"]}

    async def test_two_that_match_stay_unknown(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        lose(sandbox, "reset_after", delay=0.05)
        creating = asyncio.create_task(create(client, new_campaign(sandbox, from_name="Twin"), "k"))
        await until(lambda: "add-task" in operations_of(sandbox))
        # Somebody creates the same in the platform's console meanwhile.
        await add_in_console(sandbox, "Twin")
        body = problem(await creating, 504, "outcome_unknown")
        assert all(str(each) in body["detail"] for each in named(sandbox, "Twin"))
        assert (await attempt(client, "k"))["state"] == "unknown"

    async def test_what_was_there_before_is_never_taken(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        await add_in_console(sandbox, "Twin")
        lose(sandbox, "reset_before")
        problem(await create(client, new_campaign(sandbox, from_name="Twin")), 504, "outcome_unknown")

    async def test_what_another_request_created_is_never_taken(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        lose(sandbox, "reset_before")
        body = new_campaign(sandbox)
        problem(await create(client, body, "lost"), 504, "outcome_unknown")
        assert (await create(client, body, "other", allow_duplicate="true")).status_code == 201
        assert (await attempt(client, "lost"))["state"] == "unknown"

    async def test_what_another_request_is_creating_is_never_taken(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        lose(sandbox, "reset_before")
        body = new_campaign(sandbox)
        problem(await create(client, body, "lost"), 504, "outcome_unknown")
        lose(sandbox, "hang_after", delay=0.4)
        creating = asyncio.create_task(create(client, body, "other", allow_duplicate="true"))
        await until(lambda: len(named(sandbox, "示例新闻")) == 1)
        assert (await attempt(client, "lost"))["state"] == "unknown"
        answer = await creating
        # Which of the two requests the one campaign belongs to, nobody can tell.
        problem(answer, 504, "outcome_unknown")

    @pytest.mark.parametrize("kind", ["capital_children", "php_warning"])
    async def test_a_listing_that_is_not_whole_proves_nothing(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, kind: str
    ) -> None:
        lose(sandbox, "reset_after")
        sandbox.misbehave(Fault("latency", operation="task-list"))
        sandbox.misbehave(Fault(kind, operation="task-list", times=None))
        problem(await create(client, new_campaign(sandbox, from_name="Whole"), "k"), 504, "outcome_unknown")
        assert ((await attempt(client, "k"))["state"], len(named(sandbox, "Whole"))) == ("unknown", 1)
        sandbox.clear_faults()
        assert (await attempt(client, "k"))["state"] == "confirmed"

    async def test_a_first_listing_that_is_not_whole_hides_older_twins_for_good(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        await add_in_console(sandbox, "Twin")
        lose(sandbox, "reset_before")
        sandbox.misbehave(Fault("capital_children", operation="task-list"))
        problem(await create(client, new_campaign(sandbox, from_name="Another"), "k"), 504, "outcome_unknown")
        await add_in_console(sandbox, "Another")
        assert (await attempt(client, "k"))["state"] == "unknown"

    async def test_without_a_first_listing_nothing_is_sent(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault("php_warning", operation="task-list"))
        problem(await create(client, new_campaign(sandbox)), 502, "upstream_malformed")
        assert "add-task" not in operations_of(sandbox)

    @pytest.mark.parametrize("minutes", [-10, 10, 60])
    async def test_the_platforms_clock_may_be_off(self, sandbox: Sandbox, minutes: int) -> None:
        off = timedelta(minutes=minutes)
        async with gateway(sandbox.base_url, interactive_timeout=20, now=lambda: datetime.now(UTC) - off) as clients:
            lose(sandbox, "reset_after")
            response = await create(clients["acme"], new_campaign(sandbox, schedule={"mode": "now"}))
            assert response.status_code == 201, response.text
            held = await create(clients["acme"], new_campaign(sandbox, recipients={"to": 9}, schedule={"mode": "hold"}))
            sandbox.misbehave(Fault("reset_after", operation="edit-task"))
            released = await clients["acme"].patch(held.headers["location"], json={"schedule": {"mode": "now"}})
            assert released.status_code == 200, released.text

    async def test_while_the_platform_fails_the_journal_answers(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        lose(sandbox, "reset_before")
        problem(await create(client, new_campaign(sandbox), "k"), 504, "outcome_unknown")
        sandbox.misbehave(Fault("html_500", operation="task-list", times=None))
        assert (await attempt(client, "k"))["state"] == "unknown"

    async def test_nothing_of_the_kind_was_sent(self, client: httpx2.AsyncClient) -> None:
        problem(await client.get("/v1/campaigns/attempts/never"), 404, "not_found")

    async def test_attempts_are_the_tenants_own(self, clients: Clients, sandbox: Sandbox) -> None:
        assert (await create(clients["acme"], new_campaign(sandbox), "k")).status_code == 201
        problem(await clients["rival"].get("/v1/campaigns/attempts/k"), 404, "not_found")


class TestDuplicates:
    async def test_an_equal_one_is_refused_and_names_the_earlier(
        self, client: httpx2.AsyncClient, sandbox: Sandbox
    ) -> None:
        first = (await create(client, new_campaign(sandbox))).json()
        body = problem(await create(client, new_campaign(sandbox, from_name="Another name")), 409, "conflict")
        assert f"campaign {first['id']}" in body["detail"]
        assert "allow_duplicate=true" in body["detail"]
        assert operations_of(sandbox).count("add-task") == 1

    async def test_one_whose_fate_is_unknown_counts(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        lose(sandbox, "reset_before")
        lost = await create(client, new_campaign(sandbox))
        body = problem(await create(client, new_campaign(sandbox)), 409, "conflict")
        assert lost.headers["x-request-id"] in body["detail"]

    async def test_one_that_was_refused_does_not(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        lose(sandbox, "status", status=403)
        problem(await create(client, new_campaign(sandbox)), 502, "upstream_error")
        assert (await create(client, new_campaign(sandbox))).status_code == 201

    async def test_it_may_be_meant(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        answers = [await create(client, new_campaign(sandbox), allow_duplicate="true") for _ in range(2)]
        assert sorted(each.json()["id"] for each in answers) == named(sandbox, "示例新闻")

    async def test_of_many_at_once_one_is_sent(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        answers = await asyncio.gather(*(create(client, new_campaign(sandbox)) for _ in range(8)))
        assert sorted(each.status_code for each in answers) == [201] + [409] * 7
        assert operations_of(sandbox).count("add-task") == 1

    async def test_other_ranges_and_other_tenants_are_no_duplicates(self, sandbox: Sandbox) -> None:
        bodies = [new_campaign(sandbox), new_campaign(sandbox, recipients={"from": 2, "to": 5})]
        async with gateway(sandbox.base_url, interactive_timeout=20, write_timeout=20) as clients:
            answers = [await create(clients["acme"], body) for body in bodies]
            answers.append(await create(clients["rival"], new_campaign(sandbox, "rival")))
        assert [each.status_code for each in answers] == [201] * 3

    async def test_no_window(self, sandbox: Sandbox) -> None:
        async with gateway(sandbox.base_url, duplicate_window=0) as clients:
            answers = [await create(clients["acme"], new_campaign(sandbox)) for _ in range(2)]
        assert [each.status_code for each in answers] == [201] * 2


class TestRelease:
    @pytest.fixture
    async def held(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> str:
        """The path of a campaign that is held."""
        response = await create(client, new_campaign(sandbox, schedule={"mode": "hold"}))
        path: str = response.headers["location"]
        return path

    @pytest.mark.parametrize("kind", LOST_AFTER)
    async def test_what_was_released_is_found(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, held: str, kind: str
    ) -> None:
        sandbox.misbehave(Fault(kind, operation="edit-task"))
        changes = {"schedule": {"mode": "at", "at": "2031-03-02T09:30:00+08:00"}}
        response = await client.patch(held, json=changes, headers={"Idempotency-Key": "k"})
        assert (response.status_code, response.json()["status"]) == (200, "waiting")
        assert operations_of(sandbox).count("edit-task") == 1
        found = await attempt(client, "k")
        assert (found["state"], found["kind"]) == ("confirmed", "campaign_released")
        assert held.endswith(f"/{found['campaign_id']}")

    @pytest.mark.parametrize("kind", LOST_BEFORE)
    async def test_what_does_not_show_stays_unknown(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, held: str, kind: str
    ) -> None:
        sandbox.misbehave(Fault(kind, operation="edit-task"))
        headers = {"Idempotency-Key": "k"}
        response = await client.patch(held, json={"schedule": {"mode": "now"}}, headers=headers)
        problem(response, 504, "outcome_unknown")
        assert operations_of(sandbox).count("edit-task") == 1
        assert (await attempt(client, "k"))["state"] == "unknown"
        again = await client.patch(held, json={"schedule": {"mode": "now"}}, headers=headers)
        assert again.headers["idempotency-replayed"] == "true"
        assert operations_of(sandbox).count("edit-task") == 1

    async def test_holding_is_safe_to_repeat(self, client: httpx2.AsyncClient, sandbox: Sandbox, held: str) -> None:
        sandbox.misbehave(Fault("reset_after", operation="edit-task", times=2))
        response = await client.patch(held, json={"from_name": "Held"})
        assert (response.status_code, response.json()["from_name"]) == (200, "Held")
        assert operations_of(sandbox).count("edit-task") == 3


async def add_in_console(sandbox: Sandbox, from_name: str) -> None:
    """Create, past the gateway, a campaign that looks like `new_campaign`."""
    body = new_campaign(sandbox)
    form = {
        "tpl_id": ",".join(map(str, body["template_ids"])),
        "maillist_id": str(body["list_id"]),
        "send_domain": "example.com",
        "send_account": "news@example.com",
        "send_fullname": from_name,
        "time": "2031-03-02 09:30:00",
        "status": "1",
    }
    async with httpx2.AsyncClient(auth=("acme", "acme-password")) as client:
        reply = await client.post(f"{sandbox.base_url}task.php?do=add-task", data=form)
    assert "success" in reply.text
