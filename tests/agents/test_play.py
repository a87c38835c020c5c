"""The two prompts played as an agent would play them: what is sent in the end is one campaign."""

from typing import Any

import mcp_types as types
import pytest

from app.sandbox.state import HELD
from tests.agents.conftest import Agents, call
from tests.support.misbehaving import operations_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_agent_plays_both_prompts(agents: Agents) -> None:
    state = agents.sandbox.state("seeded")
    before = {each.id: each.status for each in state.campaigns.values()}
    async with agents.client() as client:
        asked = await client.get_prompt(
            "send_newsletter",
            {
                "template": "Monthly newsletter",
                "contact_list": "Newsletter EN",
                "sender": "news@seeded.example",
                "from_name": "Example News",
            },
        )
        assert step_names(asked) == [
            "account_status",
            "list_templates",
            "list_contact_lists",
            "prepare_campaign",
            "send_campaign",
            "list_campaigns",
        ]
        assert {"draft", "send"} <= set((await call(client, "account_status"))["scopes"])
        template = named((await call(client, "list_templates"))["data"], "Monthly newsletter")
        contact_list = named((await call(client, "list_contact_lists"))["data"], "Newsletter EN")
        prepared = await call(
            client,
            "prepare_campaign",
            template_ids=[template["id"]],
            list_id=contact_list["id"],
            sender={"type": "address", "address": "news@seeded.example"},
            from_name="Example News",
            tracking="opens_and_clicks",
        )
        assert prepared["preflight"]["recipients"]["count"] == contact_list["contact_count"]
        assert all(each["status"] == "pass" for each in prepared["preflight"]["checks"])
        # The person says yes; the agent, unsure whether its call got through, sends the ticket three times.
        sent = [await call(client, "send_campaign", ticket=prepared["ticket"]) for _ in range(3)]
        assert sent[0] == sent[1] == sent[2]
        asked = await client.get_prompt("why_no_mail", {"email": "wang.wei000@example.com"})
        assert step_names(asked) == ["diagnose_delivery"]
        for person in state.contacts_of(contact_list["id"])[:3]:
            found = await call(client, "diagnose_delivery", email=person.address)
            assert sent[0]["campaign_id"] in {each["campaign_id"] for each in found["campaigns"]}
            assert found["list_ids"] == [contact_list["id"]]
    after = {each.id: each.status for each in state.campaigns.values()}
    (made,) = after.keys() - before.keys()
    assert after[made] != HELD
    assert {each: after[each] for each in before} == before
    assert operations_of(agents.sandbox).count("add-task") == 1
    assert operations_of(agents.sandbox).count("edit-task") == 1


def step_names(prompt: types.GetPromptResult) -> list[str]:
    """Return the tools that a prompt names, in its order."""
    (message,) = prompt.messages
    assert isinstance(message.content, types.TextContent)
    words = message.content.text.partition("The values, as data:")[0].split("`")[1::2]
    return [each for each in dict.fromkeys(words) if "_" in each and each not in NOT_TOOLS]


NOT_TOOLS = {"second_person_required", "outcome_unknown"}


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [each for each in items if each["name"] == name]
    return found
