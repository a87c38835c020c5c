"""Who may let a campaign go out: scopes, and tenants that demand two persons."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from app.sandbox.state import HELD
from app.tenants.models import ApiKey, Scope
from app.tenants.store import hash_key
from tests.support.misbehaving import named, new_campaign, operations_of
from tests.support.problems import problem
from tests.support.running import CHECKED, make_app
from tests.support.tenants import make_tenant

HOLD = {"mode": "hold"}
NOW = {"mode": "now"}
LATER = {"mode": "at", "at": "2031-03-02T09:30:00+08:00"}
EVERY = frozenset(Scope)
KEYS = {
    "ann": ApiKey(id="ann", sha256=hash_key("umg_ann"), scopes=EVERY),
    "ann-too": ApiKey(id="ann-too", sha256=hash_key("umg_ann-too"), scopes=EVERY, subject="key:ann"),
    "bob": ApiKey(id="bob", sha256=hash_key("umg_bob"), scopes=EVERY, subject="bob"),
    "bob-too": ApiKey(id="bob-too", sha256=hash_key("umg_bob-too"), scopes=EVERY, subject="bob"),
    "draft": ApiKey(id="draft", sha256=hash_key("umg_draft"), scopes=frozenset({Scope.DRAFT})),
    "read": ApiKey(id="read", sha256=hash_key("umg_read"), scopes=frozenset({Scope.READ})),
}
People = dict[str, httpx2.AsyncClient]


@asynccontextmanager
async def people(sandbox: Sandbox, *, sends: dict[str, bool], **settings: Any) -> AsyncIterator[People]:
    """Run a gateway of one tenant; yields a client per key."""
    tenant = make_tenant(
        tenant_id="seeded",
        base_url=sandbox.base_url,
        password="seeded-password",
        sends=sends,
        keys=tuple(KEYS.values()),
    )
    app = make_app([tenant], **settings)
    async with app.router.lifespan_context(app):
        yield {
            name: httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://gateway",
                headers={"X-API-Key": f"umg_{name}"},
                event_hooks=CHECKED,
            )
            for name in KEYS
        }


@pytest.fixture
async def two(sandbox: Sandbox) -> AsyncIterator[People]:
    """People of a tenant that demands two persons."""
    async with people(sandbox, sends={"two_persons": True}) as made:
        yield made


async def create(client: httpx2.AsyncClient, sandbox: Sandbox, **changes: Any) -> httpx2.Response:
    body = new_campaign(sandbox, "seeded", **{"schedule": HOLD, **changes})
    return await client.post("/v1/campaigns", json=body)


async def held(client: httpx2.AsyncClient, sandbox: Sandbox, **changes: Any) -> str:
    """Create a held campaign and return its path."""
    response = await create(client, sandbox, **changes)
    assert response.status_code == 201, response.text
    return f"/v1/campaigns/{response.json()['id']}"


async def release(client: httpx2.AsyncClient, path: str, schedule: dict[str, str] = LATER) -> httpx2.Response:
    return await client.post(f"{path}/release", json={"schedule": schedule})


class TestRelease:
    async def test_lets_a_held_campaign_go_out(self, sandbox: Sandbox) -> None:
        async with people(sandbox, sends={}) as who:
            path = await held(who["ann"], sandbox)
            response = await release(who["ann"], path)
            assert (response.status_code, response.json()["status"]) == (200, "waiting")
            assert response.json()["scheduled_at"] == "2031-03-02T09:30:00+08:00"
            problem(await release(who["ann"], path), 409, "conflict")

    @pytest.mark.parametrize("schedule", [HOLD, {"mode": "at"}, {"mode": "now", "at": LATER["at"]}])
    async def test_refuses_what_is_no_release(self, sandbox: Sandbox, schedule: dict[str, str]) -> None:
        async with people(sandbox, sends={}) as who:
            problem(await release(who["ann"], "/v1/campaigns/5", schedule), 422, "validation_failed")
        assert sandbox.calls == []


class TestTwoPersons:
    async def test_only_held_campaigns_are_created(self, two: People, sandbox: Sandbox) -> None:
        for schedule in (NOW, LATER):
            problem(await create(two["ann"], sandbox, schedule=schedule), 403, "second_person_required")
        assert sandbox.calls == []

    async def test_a_second_person_releases(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["ann"], sandbox)
        for response in (
            await release(two["ann"], path),
            await two["ann"].patch(path, json={"schedule": NOW}),
            await two["ann"].patch(path, json={"from_name": "x", "schedule": NOW}),
        ):
            problem(response, 403, "second_person_required")
        assert "edit-task" not in operations_of(sandbox)
        assert (await release(two["bob"], path)).json()["status"] == "waiting"

    async def test_keys_of_one_subject_are_one_person(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["bob"], sandbox)
        problem(await release(two["bob-too"], path), 403, "second_person_required")
        path = await held(two["ann"], sandbox, from_name="other")
        # A subject that looks like a key's person is another one.
        assert (await release(two["ann-too"], path)).status_code == 200

    async def test_the_last_editor_is_not_a_second_person(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["ann"], sandbox)
        assert (await two["bob"].patch(path, json={"from_name": "Bob's"})).status_code == 200
        for who in ("ann", "bob", "bob-too"):
            problem(await release(two[who], path), 403, "second_person_required")
        assert (await release(two["ann-too"], path)).status_code == 200

    async def test_a_refused_change_makes_nobody_the_last_editor(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["ann"], sandbox)
        assert (await two["bob"].patch(path, json={"from_name": "Bob's"})).status_code == 200
        problem(await two["ann"].patch(path, json={"template_ids": [999_999]}), 404, "not_found")
        problem(await release(two["bob"], path), 403, "second_person_required")
        assert (await release(two["ann-too"], path)).status_code == 200

    async def test_whoever_may_have_changed_it_last_releases_nothing(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["draft"], sandbox)
        assert (await two["bob"].patch(path, json={"from_name": "Bob's"})).status_code == 200
        sandbox.misbehave(Fault("reset_after", operation="edit-task"))
        problem(await two["ann"].patch(path, json={"from_name": "Ann's"}), 504, "outcome_unknown")
        for who in ("ann", "bob"):
            problem(await release(two[who], path), 403, "second_person_required")
        assert (await two["bob"].patch(path, json={"from_name": "Bob's again"})).status_code == 200
        assert (await release(two["ann"], path)).status_code == 200

    async def test_what_waits_is_not_changed(self, two: People, sandbox: Sandbox) -> None:
        path = await held(two["ann"], sandbox)
        await release(two["bob"], path)
        for who in ("ann", "bob", "ann-too"):
            problem(await two[who].patch(path, json={"from_name": "x"}), 403, "second_person_required")
        assert (await two["ann"].patch(path, json={"from_name": "x", "schedule": HOLD})).json()["status"] == "held"
        problem(await release(two["ann"], path), 403, "second_person_required")

    async def test_a_campaign_made_elsewhere_may_be_released_by_anyone(self, two: People, sandbox: Sandbox) -> None:
        (campaign,) = [each for each in sandbox.state("seeded").campaigns.values() if each.status == HELD]
        path = f"/v1/campaigns/{campaign.id}"
        # The platform does not tell where its range begins; somebody has to say so, and is its editor then.
        assert (await two["bob"].patch(path, json={"recipients": {"from": 1}})).status_code == 200
        response = await release(two["ann"], path)
        assert response.status_code == 200, response.text

    @pytest.mark.parametrize("kind", ["reset_after", "hang_after"])
    async def test_whose_answer_was_lost_is_the_author(self, two: People, sandbox: Sandbox, kind: str) -> None:
        sandbox.misbehave(Fault(kind, operation="add-task", delay=0.1))
        sandbox.misbehave(Fault("latency", operation="task-list"))
        sandbox.misbehave(Fault("status", operation="task-list", times=None))
        problem(await create(two["ann"], sandbox, from_name="Lost"), 504, "outcome_unknown")
        sandbox.clear_faults()
        (campaign_id,) = named(sandbox, "Lost", "seeded")
        path = f"/v1/campaigns/{campaign_id}"
        assert (await two["bob"].patch(path, json={"recipients": {"from": 1}})).status_code == 200
        problem(await release(two["ann"], path), 403, "second_person_required")
        assert (await release(two["ann-too"], path)).status_code == 200

    async def test_of_an_edit_and_a_release_at_once_one_loses(self, two: People, sandbox: Sandbox) -> None:
        for number in range(4):
            path = await held(two["ann"], sandbox, from_name=f"race {number}")
            answers = await asyncio.gather(
                release(two["bob"], path), two["ann"].patch(path, json={"from_name": f"raced {number}"})
            )
            lost = [each for each in answers if each.status_code != 200]
            assert len(lost) == 1, [each.text for each in answers]
            problem(lost[0], 409, "conflict")
            released = answers[0].status_code == 200
            assert bool(named(sandbox, f"race {number}", "seeded")) == released

    async def test_the_audit_log_tells_who_did_what(self, sandbox: Sandbox, tmp_path: Path) -> None:
        log = tmp_path / "audit.jsonl"
        async with people(sandbox, sends={"two_persons": True}, audit_log=str(log)) as who:
            path = await held(who["ann"], sandbox)
            await who["bob"].patch(path, json={"from_name": "Bob's"})
            await release(who["ann-too"], path)
        made, changed, released = [json.loads(line) for line in log.read_text().splitlines()]
        assert (made["key"], changed["key"], released["key"]) == ("ann", "bob", "ann-too")
        targets = released["targets"]
        assert (targets["author"], targets["editor"]) == ("ann", "bob")
        assert targets["released_by"] == "key:ann"


class TestDraft:
    async def test_makes_changes_and_deletes_what_is_held(self, sandbox: Sandbox) -> None:
        async with people(sandbox, sends={}) as who:
            path = await held(who["draft"], sandbox)
            assert (await who["draft"].patch(path, json={"from_name": "y"})).json()["status"] == "held"
            assert (await who["draft"].delete(path)).status_code == 204

    async def test_mails_nobody(self, sandbox: Sandbox) -> None:
        async with people(sandbox, sends={}) as who:
            for schedule in (NOW, LATER):
                problem(await create(who["draft"], sandbox, schedule=schedule), 403, "insufficient_scope")
            path = await held(who["ann"], sandbox)
            problem(await release(who["draft"], path), 403, "insufficient_scope")
            releases: list[Any] = [{"schedule": NOW}, {"schedule": LATER}, {"from_name": "x", "schedule": NOW}]
            for changes in releases:
                problem(await who["draft"].patch(path, json=changes), 403, "insufficient_scope")
            assert (await release(who["ann"], path)).status_code == 200
            edits: list[Any] = [{"from_name": "x"}, {"schedule": HOLD}]
            for changes in edits:
                problem(await who["draft"].patch(path, json=changes), 403, "insufficient_scope")
            problem(await who["draft"].delete(path), 403, "insufficient_scope")

    async def test_any_other_operation_is_refused(self, sandbox: Sandbox) -> None:
        """Of everything that the document offers, a key that may draft can only use what is said to need `draft`."""
        async with people(sandbox, sends={}) as who:
            document = (await who["draft"].get("/openapi.json")).json()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    scopes = {
                        scope for each in operation.get("security", ()) for some in each.values() for scope in some
                    }
                    if not path.startswith("/v1/") or "draft" in scopes:
                        continue
                    asked = path.replace("{", "1").replace("}", "")
                    response = await who["draft"].request(method.upper(), asked)
                    problem(response, 403, "insufficient_scope")
        assert sandbox.calls == []
