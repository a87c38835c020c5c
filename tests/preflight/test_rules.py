"""No order of calls gets round the second person and the preflight."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.sandbox import Fault
from tests.preflight.offices import Gateway
from tests.resources.test_permission import HOLD, LATER, NOW
from tests.support.misbehaving import named, new_campaign

SENDERS = ("ann", "ann-too", "bob", "bob-too")
PERSONS = {"ann": "Ann", "ann-too": "Carl", "bob": "Bob", "bob-too": "Bob", "draft": "Dora"}
MOST = 3
"""Campaigns at once, so that much is tried on each."""
NUMBERS = count()

sender = st.sampled_from(SENDERS)
anybody = st.sampled_from(tuple(PERSONS))
tickets_shown = st.sampled_from(("none", "some", "fresh", "fresh"))
going_out = st.sampled_from((NOW, LATER))


@dataclass
class Draft:
    """A campaign, and what has been done to it.

    Args:
        editors: who may have been the last to change it.
        state: grows with everything that was tried on it, and `found` is what it was when a ticket made it.
    """

    id: int
    body: dict[str, Any]
    author: str
    editors: set[str]
    preflighted: bool
    state: int = 0
    status: str = "held"

    @property
    def path(self) -> str:
        return f"/v1/campaigns/{self.id}"

    def involved(self, key: str) -> bool:
        return PERSONS[key] == self.author or PERSONS[key] in self.editors


@dataclass
class Pass:
    """A ticket: of a body that can be created, or of a campaign in a state."""

    text: str
    body: dict[str, Any]
    draft: Draft | None = None
    state: int = 0
    uses: list[str] = field(default_factory=list)

    @property
    def header(self) -> dict[str, str]:
        return {"Preflight-Ticket": self.text}

    def releases(self, draft: Draft) -> bool:
        return not self.uses and self.draft is draft and self.state == draft.state


class Office(RuleBasedStateMachine):
    """Several persons who make, change, release and delete campaigns with their keys."""

    gateway: Gateway

    drafts = Bundle("drafts")
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.office = self.gateway.next_office()
        self.known: list[Draft] = []

    def ask(self, key: str, method: str, path: str, **said: Any) -> httpx2.Response:
        return self.gateway.ask(self.office, key, method, path, **said)

    def _body(self) -> dict[str, Any]:
        fields = {"sender": {"type": "address", "address": f"news@{self.office}.example"}, "schedule": HOLD}
        return new_campaign(self.gateway.sandbox, self.office, from_name=f"mailing {next(NUMBERS)}", **fields)

    @initialize(target=drafts, key=anybody)
    def begin(self, key: str) -> Any:
        return self.create(key, self.preflight(key))

    @rule(target=tickets, key=anybody)
    def preflight(self, key: str) -> Pass:
        body = self._body()
        return Pass(self._preflight(key, body), body)

    @rule(target=tickets, key=anybody, draft=drafts)
    def preflight_of(self, key: str, draft: Draft) -> Any:
        path = f"/v1/campaigns/preflight?campaign_id={draft.id}"
        response = self.ask(key, "POST", path, json=draft.body)
        if draft.status != "held":
            assert response.status_code in {404, 409}, response.text
            return multiple()
        assert response.status_code == 200, response.text
        return Pass(response.json()["ticket"], draft.body, draft, draft.state)

    def _preflight(self, key: str, body: dict[str, Any]) -> str:
        response = self.ask(key, "POST", "/v1/campaigns/preflight", json=body)
        assert response.status_code == 200, response.text
        assert response.json()["ticket"], response.text
        ticket: str = response.json()["ticket"]
        return ticket

    @precondition(lambda self: len(self.known) < MOST)
    @rule(target=drafts, key=anybody, ticket=tickets)
    def create(self, key: str, ticket: Pass) -> Any:
        response = self.ask(key, "POST", "/v1/campaigns", json=ticket.body, headers=ticket.header)
        if ticket.uses or ticket.draft is not None:
            self._refused(response, 409, "ticket_invalid")
            return multiple()
        assert response.status_code == 201, response.text
        ticket.uses.append("create")
        return self._made(response.json()["id"], ticket.body, key, preflighted=True)

    def _made(self, number: int, body: dict[str, Any], key: str, *, preflighted: bool) -> Draft:
        draft = Draft(number, body, PERSONS[key], {PERSONS[key]}, preflighted)
        self.known.append(draft)
        return draft

    @precondition(lambda self: len(self.known) < MOST)
    @rule(target=drafts, key=anybody, ticket=tickets)
    def create_and_lose_the_answer(self, key: str, ticket: Pass) -> Any:
        assume(not ticket.uses and ticket.draft is None)
        self.gateway.sandbox.misbehave(Fault("reset_after", operation="add-task"))
        response = self.ask(key, "POST", "/v1/campaigns", json=ticket.body, headers=ticket.header)
        self.gateway.sandbox.clear_faults()
        assert response.status_code == 201, response.text
        ticket.uses.append("create")
        return self._made(response.json()["id"], ticket.body, key, preflighted=True)

    @rule(key=anybody, schedule=going_out, ticket=tickets)
    def create_what_goes_out(self, key: str, schedule: dict[str, str], ticket: Pass) -> None:
        body = {**ticket.body, "schedule": schedule}
        response = self.ask(key, "POST", "/v1/campaigns", json=body, headers=ticket.header)
        self._refused(response, 403, "insufficient_scope" if key == "draft" else "second_person_required")

    @rule(key=anybody)
    def create_without_ticket(self, key: str) -> None:
        response = self.ask(key, "POST", "/v1/campaigns", json=self._body())
        self._refused(response, 428, "preflight_required")

    @rule(key=anybody, draft=drafts, fate=st.sampled_from(("done", "done", "refused", "lost")), holds=st.booleans())
    def edit(self, key: str, draft: Draft, fate: str, holds: bool) -> None:
        body = {**draft.body, "from_name": f"mailing {next(NUMBERS)}"}
        changes = {"from_name": body["from_name"], **({"schedule": HOLD} if holds else {})}
        if fate == "refused":
            changes["template_ids"] = [999_999]
        if fate == "lost":
            self.gateway.sandbox.misbehave(Fault("reset_after", operation="edit-task"))
        response = self.ask(key, "PATCH", draft.path, json=changes)
        self.gateway.sandbox.clear_faults()
        if draft.status == "deleted":
            assert response.status_code == 404, response.text
        elif draft.status == "waiting" and (key == "draft" or not holds):
            assert response.status_code == 403, response.text
        else:
            self._edited(draft, PERSONS[key], body, fate, response)

    def _edited(self, draft: Draft, person: str, body: dict[str, Any], fate: str, response: httpx2.Response) -> None:
        draft.state += 1
        draft.preflighted = False
        assert response.status_code == {"done": 200, "refused": 404, "lost": 504}[fate], response.text
        if fate == "refused":
            return
        draft.body, draft.status = body, "held"
        draft.editors = {person} | (draft.editors if fate == "lost" else set())

    @rule(key=anybody, draft=drafts)
    def hold(self, key: str, draft: Draft) -> None:
        response = self.ask(key, "PATCH", draft.path, json={"schedule": HOLD})
        if draft.status == "deleted":
            assert response.status_code == 404, response.text
        elif draft.status == "waiting" and key == "draft":
            self._refused(response, 403, "insufficient_scope")
        else:
            assert response.status_code == 200, response.text
            draft.state += 1
            draft.status = "held"

    @rule(key=anybody, draft=drafts, ticket=tickets, shown=tickets_shown, patch=st.booleans())
    def release(
        self,
        key: str,
        draft: Draft,
        ticket: Pass,
        shown: str,
        patch: bool,
    ) -> None:
        given: Any = None if shown == "none" else ticket
        if shown == "fresh" and draft.status == "held":
            given = self.preflight_of(key, draft)
        said = {"json": {"schedule": LATER}, "headers": given.header if given else {}}
        method, path = ("PATCH", draft.path) if patch else ("POST", f"{draft.path}/release")
        response = self.ask(key, method, path, **said)
        if key == "draft":
            self._refused(response, 403, "insufficient_scope")
        elif draft.status == "deleted":
            assert response.status_code == 404, response.text
        elif draft.status == "waiting":
            assert response.status_code in {403, 409, 428} or (patch and response.status_code == 200), response.text
            self._released(draft, key, given, response)
        elif draft.involved(key):
            self._refused(response, 403, "second_person_required")
        elif given and not given.releases(draft):
            self._refused(response, 409, "ticket_invalid")
        elif not given and not draft.preflighted:
            self._refused(response, 428, "preflight_required")
        else:
            assert response.status_code == 200, response.text
            self._released(draft, key, given, response)

    def _released(self, draft: Draft, key: str, ticket: Pass | None, response: httpx2.Response) -> None:
        if response.status_code != 200:
            return
        assert not draft.involved(key), "released by whoever made or last changed it"
        assert draft.preflighted or (ticket is not None and ticket.releases(draft)), "released without a preflight"
        if ticket is not None:
            ticket.uses.append("release")
        draft.state += 1
        draft.status = "waiting"

    @rule(key=anybody, draft=consumes(drafts))
    def delete(self, key: str, draft: Draft) -> None:
        response = self.ask(key, "DELETE", draft.path)
        if draft.status == "waiting" and key == "draft":
            self._refused(response, 403, "insufficient_scope")
        elif draft.status == "deleted":
            assert response.status_code == 404, response.text
        else:
            assert response.status_code == 204, response.text
            draft.status = "deleted"

    @rule(editor=anybody, key=sender, draft=drafts)
    def edit_while_it_is_released(self, editor: str, key: str, draft: Draft) -> None:
        assume(draft.status == "held" and draft.preflighted and not draft.involved(key))
        body = {**draft.body, "from_name": f"mailing {next(NUMBERS)}"}

        async def both() -> tuple[httpx2.Response, httpx2.Response]:
            return await asyncio.gather(
                self.gateway.client(self.office, editor).patch(draft.path, json={"from_name": body["from_name"]}),
                self.gateway.client(self.office, key).post(f"{draft.path}/release", json={"schedule": LATER}),
            )

        edited, released = self.gateway.do(both())
        assert {edited.status_code, released.status_code} == {200, 409}, (edited.text, released.text)
        self._released(draft, key, None, released)
        if edited.status_code == 200:
            self._edited(draft, PERSONS[editor], body, "done", edited)

    @staticmethod
    def _refused(response: httpx2.Response, status: int, code: str) -> None:
        assert (response.status_code, response.json().get("code")) == (status, code), response.text

    def teardown(self) -> None:
        """Nothing is on the platform but what was made here, once each, and nothing goes out but what was released."""
        state = self.gateway.sandbox.state(self.office)
        for draft in self.known:
            shown = state.campaigns.get(draft.id)
            assert (shown is None) == (draft.status == "deleted")
            if shown is None:
                continue
            assert (shown.status == -1) == (draft.status == "held")
            assert named(self.gateway.sandbox, draft.body["from_name"], self.office) == [draft.id]
            del state.campaigns[draft.id]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(10 + settings().max_examples // 8).running() as running:
        yield running


@pytest.mark.usefixtures("sockets")
def test_no_order_of_calls_gets_round_the_rules(gateway: Gateway) -> None:
    machine = type("Machine", (Office,), {"gateway": gateway})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    most = max(1, settings().max_examples // 3)
    few = settings(max_examples=most, stateful_step_count=20, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=few)
