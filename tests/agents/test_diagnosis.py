"""What became of mail to one address, as the sandbox knows it."""

import pytest

from app.sandbox import Fault
from app.sandbox.state import AccountState
from tests.agents.conftest import Agents, call

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def state(agents: Agents) -> AccountState:
    return agents.sandbox.state("seeded")


async def test_what_became_of_mail_to_one_address(agents: Agents, state: AccountState) -> None:
    recent = [each for each in state.campaigns.values() if each.deliveries and each.track_status == 2][-1]
    by_fate = {
        "failed": next(each for each in recent.deliveries if each.outcome),
        "arrived": next(each for each in recent.deliveries if not each.outcome and each.opens),
        "sent_without_sign": next(each for each in recent.deliveries if not each.outcome and not each.opens),
    }
    async with agents.client("read") as client:
        for conclusion, delivery in by_fate.items():
            found = await call(client, "diagnose_delivery", email=delivery.email.upper())
            assert (found["conclusion"], found["not_looked_at"]) == (conclusion, []), (delivery, found)
            assert recent.id in {each["campaign_id"] for each in found["campaigns"]}
            for sign in found["signs"]:
                assert sign["campaign_id"] == recent.id
        clicked = next(each for each in recent.deliveries if each.clicks and not each.outcome)
        found = await call(client, "diagnose_delivery", email=clicked.email)
        assert {"opened", "clicked"} <= {each["kind"] for each in found["signs"]}
        assert (await call(client, "diagnose_delivery", email="nobody@example.com"))["conclusion"] == "not_sent"


async def test_single_messages_are_found(agents: Agents) -> None:
    message = {"from": {"email": "news@seeded.example"}, "subject": "Hi", "text": "Hi"}
    people = ("met@example.com", "unmet+refuse@example.com")
    async with agents.client() as client:
        # Only since somebody has wanted events.
        await call(client, "recent_events")
        sent = await call(client, "submit_message", message_key="for-two", to=list(people), **message)
        met, unmet = [await call(client, "diagnose_delivery", email=each.upper()) for each in people]
    assert [(each["kind"], each["detail"]) for each in met["signs"]] == [("message_accepted", sent["message_id"])]
    assert met["conclusion"] == "sent_without_sign"
    assert [each["kind"] for each in unmet["signs"]] == ["message_rejected"]
    assert unmet["conclusion"] == "failed"


async def test_an_unsubscription_is_found(agents: Agents, state: AccountState) -> None:
    async with agents.client() as client:
        found = await call(client, "diagnose_delivery", email="left1@example.com")
    assert found["conclusion"] == "unsubscribed"
    (sign,) = found["signs"]
    assert sign["list_id"] == next(iter(state.lists))
    assert found["campaigns"]


async def test_what_cannot_be_looked_at_is_told(agents: Agents) -> None:
    async with agents.client() as client:
        agents.sandbox.misbehave(Fault("status", operation="ml-addr-list"))
        found = await call(client, "diagnose_delivery", email="nobody@example.com", since="2020-01-01")
        agents.sandbox.clear_faults()
    assert found["conclusion"] == "unknown"
    assert {each["code"] for each in found["not_looked_at"]} == {"upstream_error", "too_many"}
