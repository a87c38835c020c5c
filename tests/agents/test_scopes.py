"""Every tool with every scope: who may not use it does not see it, and is refused if they call it all the same."""

from typing import Any

import pytest
from mcp.client.client import Client

from app.agents.catalogue import TOOLS
from tests.agents.conftest import Agents, agents_of, call, plain_client, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

READING = {
    "account_status",
    "list_contact_lists",
    "find_contact",
    "list_templates",
    "list_campaigns",
    "campaign_report",
    "recent_events",
    "diagnose_delivery",
}
ALLOWED: dict[str, set[str]] = {
    "read": READING,
    "write": {"save_contact", "create_template", "verify_domain"},
    "draft": {"prepare_campaign"},
    "send": {"prepare_campaign", "send_campaign", "submit_message"},
    "manage": set(),
    "webhooks": set(),
    "every": {each.name for each in TOOLS},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "find_contact": {"email": "ann@example.com"},
    "save_contact": {"email": "ann@example.com", "list_id": 418801},
    "create_template": {"name": "n", "subjects": ["s"], "html": "h"},
    "verify_domain": {"domain": "seeded.example"},
    "prepare_campaign": {"template_ids": [1], "list_id": 1, "sender": {"type": "any"}, "from_name": "n"},
    "send_campaign": {"ticket": "5.pf_x"},
    "campaign_report": {"campaign_id": 5500001},
    "diagnose_delivery": {"email": "ann@example.com"},
    "submit_message": {"message_key": "k", "from": {"email": "a@b.example"}, "to": ["a@b.example"], "subject": "s"},
}


async def seen(client: Client) -> set[str]:
    return {each.name for each in (await client.list_tools()).tools}


async def test_every_tool_with_every_scope(agents: Agents) -> None:
    agents.entries()
    for key, allowed in ALLOWED.items():
        async with agents.client(key) as client:
            assert await seen(client) == allowed, key
        async with plain_client(agents, key) as plain:
            calls = len(agents.sandbox.calls)
            for tool in TOOLS:
                if tool.name in allowed:
                    continue
                # Whatever the arguments say: they are not looked at.
                arguments = {"nonsense": 1} if key == "manage" else ARGUMENTS.get(tool.name, {})
                result = await plain.call(tool.name, **arguments)
                assert result["isError"], (key, tool.name)
                assert result["structuredContent"]["code"] == "insufficient_scope", (key, tool.name, result)
            assert len(agents.sandbox.calls) == calls, key
            entries = [each for each in agents.entries() if each["key"] == key]
            expected = [tool.name for tool in TOOLS if tool.name not in allowed]
            assert [each["tool"] for each in entries] == expected
            assert {(each["operation"], each["code"]) for each in entries} == {
                (name, "insufficient_scope") for name in expected
            }


async def test_what_is_allowed_gets_through(agents: Agents) -> None:
    for key in ("read", "write", "draft", "send"):
        async with plain_client(agents, key) as plain:
            for name in ALLOWED[key]:
                result = await plain.call(name, **ARGUMENTS.get(name, {}))
                assert result["structuredContent"].get("code") != "insufficient_scope", (key, name)


async def test_one_person_prepares_and_another_sends(tmp_path: Any) -> None:
    async with agents_of(tmp_path, sends={"two_persons": True, "require_preflight": True}) as two:
        state = two.sandbox.state("seeded")
        async with two.client("ann") as ann, two.client("bob") as bob:
            prepared = await call(
                ann,
                "prepare_campaign",
                template_ids=list(state.templates)[:1],
                list_id=next(iter(state.lists)),
                sender={"type": "address", "address": "news@seeded.example"},
                from_name="示例新闻",
            )
            assert (await call(ann, "account_status"))["rules"]["two_persons"] is True
            found = await refused(ann, "send_campaign", ticket=prepared["ticket"])
            assert found["code"] == "second_person_required"
            sent = await call(bob, "send_campaign", ticket=prepared["ticket"])
        assert sent["status"] in {"waiting", "sending", "sent"}
