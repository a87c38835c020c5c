"""The bridge for clients that speak over standard input and output."""

import sys
from pathlib import Path

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from typer.testing import CliRunner

from app.agents.bridge import GatewayUnusable, run_bridge
from app.agents.catalogue import TOOLS
from app.agents.guides import GUIDES, REQUESTS
from app.cli.command import app
from tests.agents.conftest import Agents, call, refused
from tests.support.gateways import ROOT
from tests.support.servers import unused_port


def bridge(agents: Agents, key_file: Path) -> StdioServerParameters:
    program = "from app.cli import main; main()"
    url = f"http://127.0.0.1:{agents.port}"
    return StdioServerParameters(
        command=sys.executable,
        args=["-c", program, "mcp", "--url", url, "--key-file", str(key_file)],
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_the_bridge_offers_what_the_gateway_offers(agents: Agents, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("umg_every\n")
    async with Client(bridge(agents, key_file), mode="legacy") as client:
        assert [each.name for each in (await client.list_tools()).tools] == [each.name for each in TOOLS]
        assert (await call(client, "account_status"))["username"] == "seeded"
        assert (await refused(client, "find_contact", email="nobody"))["code"] == "validation_failed"
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("nothing", {})
        assert [each.name for each in (await client.list_prompts()).prompts] == [each.name for each in REQUESTS]
        assert (await client.get_prompt("why_no_mail", {"email": "ann@example.com"})).messages
        assert [each.uri for each in (await client.list_resources()).resources] == [each.uri for each in GUIDES]
        assert (await client.read_resource(GUIDES[0].uri)).contents


@pytest.mark.asyncio(loop_scope="module")
async def test_a_gateway_that_cannot_be_asked_is_told(agents: Agents) -> None:
    for port, said in ((agents.port, "answers 401: A valid API key is needed"), (unused_port(), "cannot be reached")):
        with pytest.raises(GatewayUnusable, match=said):
            await run_bridge(f"http://127.0.0.1:{port}/mcp", "umg_wrong")


def test_a_key_is_needed(tmp_path: Path) -> None:
    for arguments, said in ((["--key-file", str(tmp_path / "none")], "cannot be read"), ([], "There is no API key")):
        ended = CliRunner().invoke(
            app, ["mcp", "--url", "http://127.0.0.1:9", *arguments], env={"UMAIL_GATEWAY_KEY": ""}
        )
        assert (ended.exit_code, said in ended.stderr, ended.stdout) == (2, True, "")
