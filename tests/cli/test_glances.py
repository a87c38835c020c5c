"""`status` and `call`: looking at accounts, and trying operations, from a shell."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.command import app
from app.sandbox import Sandbox
from tests.support.gateways import tenants_file

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox) -> Run:
    """Runs a command for two tenants, of which one has a wrong password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UMAIL_GATEWAY_DATA_DIR", str(tmp_path / "data"))
    accounts = [("seeded", "seeded-password"), ("wrong", "planted-password")]
    monkeypatch.setenv("UMAIL_GATEWAY_TENANTS_URL", tenants_file(tmp_path, sandbox.base_url, accounts))

    async def running(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    return running


async def test_status_shows_who_can_log_in_and_what_is_left(run: Run) -> None:
    result = await run("status", "--json")
    assert result.exit_code == 1
    seeded, wrong = json.loads(result.stdout)
    assert (seeded["tenant"], seeded["login"], wrong["login"]) == (
        "seeded",
        "accepted",
        "upstream_credentials_rejected",
    )
    assert seeded["quota_left"] > 0
    assert (wrong["quota_left"], seeded["breaker"]) == (None, None)
    assert "planted-password" not in result.output


async def test_call_reads_and_changes(run: Run) -> None:
    table = await run("call", "seeded", "list_contact_lists")
    assert table.exit_code == 0, table.output
    assert table.stdout.splitlines()[0].split()[:2] == ["ID", "NAME"]
    made = await run("call", "seeded", "create_contact_list", "name=Clients", "--json", "--yes")
    assert made.exit_code == 0, made.output
    created = json.loads(made.stdout)["id"]
    shown = await run("call", "seeded", "get_contact_list", f"list_id={created}")
    assert "Clients" in shown.stdout
    for arguments, code, said in (
        (("seeded", "list_contact_list"), 2, "did you mean list_contact_lists?"),
        (("seeded", "get_contact_list"), 2, "get_contact_list needs list_id=…"),
        (("seeded", "get_contact_list", "list_id=99999999"), 1, "404 not_found"),
        (("seeded", "create_contact_list", "name=Clients"), 2, "--yes"),
        (("nobody", "list_contact_lists"), 1, "There is no tenant nobody."),
        (("seeded", "list_contact_lists", "page"), 2, "field=value"),
    ):
        refused = await run("call", *arguments)
        assert (refused.exit_code, said in refused.stderr) == (code, True), refused.output
