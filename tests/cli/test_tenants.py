"""Administering tenants and keys from the command line, as people and programs do."""

import asyncio
import json
import os
import pty
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from app.cli.command import app
from app.cli.terminal import print_table, shown
from app.sandbox import Sandbox
from app.tenants.vault import MasterKey, generate_master_key
from tests.support.gateways import GatewayProcess
from tests.support.processes import COMMAND

PASSWORD = "planted-password"
ADD = ["tenants", "add", "acme", "--username", "demo", "--password-stdin", "--no-probe"]

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs the command line with its files in an empty folder; `input` is what it reads."""
    for name in [name for name in os.environ if name.startswith("UMAIL_GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UMAIL_GATEWAY_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: str, input: str | bytes = "", code: int = 0) -> Result:  # noqa: A002 - as the runner calls it
        result = CliRunner().invoke(app, arguments, input=input)
        assert result.exit_code == code, result.output
        assert PASSWORD not in result.output
        return result

    return run


def added(command: Command, *options: str) -> dict[str, Any]:
    """Add a tenant `acme`; return what is printed."""
    record: dict[str, Any] = printed(command(*ADD, *options, "--json", input=f"{PASSWORD}\n"))
    return record


def printed(result: Result) -> Any:
    """Return the JSON that a command printed."""
    return json.loads(result.stdout)


class TestTenants:
    def test_a_tenant_with_everything(self, command: Command) -> None:
        options = "--name 公司 --base-url http://127.0.0.1:9/mm-ms/apinew --auth legacy --role manager --concurrency 3"
        relay = "--smtp-host relay.example --smtp-port 2525 --smtp-security tls --smtp-username news@acme.example"
        result = command(*ADD, *options.split(), *relay.split(), "--json", input=f"{PASSWORD}\nrelay-password\n")
        record = printed(result)
        assert "relay-password" not in result.output
        assert record["upstream"] == {
            "base_url": "http://127.0.0.1:9/mm-ms/apinew/",
            "auth": "legacy",
            "username": "demo",
        }
        assert record["smtp"]["username"] == "news@acme.example"
        assert (record["name"], record["role"], record["limits"]["concurrency"]) == ("公司", "manager", 3)
        assert printed(command("tenants", "show", "acme", "--json")) == record
        assert printed(command("tenants", "list", "--json")) == [record]
        for lines in (command("tenants", "list").stdout, command("tenants", "show", "acme").stdout):
            assert "公司" in lines
        assert "news@acme.example@relay.example:2525 (tls)" in command("tenants", "show", "acme").stdout

    def test_it_changes(self, command: Command) -> None:
        added(command)
        assert not printed(command("tenants", "disable", "acme", "--json"))["enabled"]
        assert printed(command("tenants", "enable", "acme", "--json"))["enabled"]
        edited = printed(command("tenants", "edit", "acme", "--name", "Other", "--concurrency", "5", "--json"))
        assert (edited["name"], edited["limits"]["concurrency"]) == ("Other", 5)
        assert edited["limits"]["requests_per_minute"] == 600
        relay = ("tenants", "relay", "acme", "--host", "relay.example")
        assert printed(command(*relay, "--json"))["smtp"]["username"] is None
        login = ("--username", "news", "--password-stdin")
        assert printed(command(*relay, *login, "--json", input="x\n"))["smtp"]["username"] == "news"
        assert printed(command("tenants", "relay", "acme", "--json"))["smtp"] is None
        command("tenants", "remove", "acme", "--yes")
        assert printed(command("tenants", "list", "--json")) == []

    def test_a_password_that_travels_in_clear_is_warned_about(self, command: Command) -> None:
        for base_url, warned in (("http://platform.example/", True), ("https://platform.example/", False)):
            arguments = ("--username", "x", "--base-url", base_url, "--password-stdin", "--no-probe")
            done = command("tenants", "add", f"t{warned}", *arguments, input="x\n")
            assert ("in clear" in done.stderr) is warned

    def test_a_password_is_replaced(self, command: Command) -> None:
        added(command)
        result = command(
            *("tenants", "rotate", "acme", "--username", "other", "--password-stdin", "--no-probe", "--json"),
            input="new\n",
        )
        assert (printed(result)["upstream"]["username"], printed(result)["staged"]) == ("other", None)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["tenants", "show", "nobody"], "no tenant nobody"),
            (["tenants", "disable", "nobody"], "no tenant nobody"),
            (["tenants", "remove", "nobody", "--yes"], "no tenant nobody"),
            (["keys", "create", "nobody"], "no tenant nobody"),
            (["keys", "list", "nobody"], "no tenant nobody"),
            (["keys", "revoke", "acme", "web"], "no key web"),
            (ADD, "a tenant acme already"),
        ],
    )
    def test_what_is_refused(self, command: Command, arguments: list[str], message: str) -> None:
        added(command)
        assert message in command(*arguments, input=f"{PASSWORD}\n", code=1).stderr

    @pytest.mark.parametrize(
        ("arguments", "given", "message"),
        [
            (["add", "a b", "--username", "x"], "x", "id: "),
            (["add", "acme", "--username", "a\x1b[2Jb"], "x", "upstream.username: "),
            (["add", "acme", "--username", "a:b"], "x", "upstream: a username for basic"),
            (["add", "acme", "--username", "x", "--name", "a\nb"], "x", "name: "),
            (["add", "acme", "--username", "x", "--base-url", "file:///etc/passwd"], "x", "upstream.base_url: "),
            (
                ["add", "acme", "--username", "x", "--base-url", "http://u:planted@h/"],
                "x",
                "must not carry",
            ),
            (["add", "acme", "--username", "x", "--smtp-port", "25"], "x", "smtp.host: is missing"),
            (["add", "acme", "--username", "x", "--campaigns-per-hour", "101"], "x", "limits.campaigns_per_hour: "),
            (["add", "acme", "--username", "x", "--concurrency", "0"], "x", "--concurrency"),
            (["add", "acme", "--username", "x"], "", "The U-Mail password is empty"),
            (
                ["add", "acme", "--username", "x", "--smtp-host", "h", "--smtp-username", "u"],
                "x",
                "SMTP password",
            ),
            (["add", "acme", "--username", "x", "--password", "geheim"], "", "No such option"),
            (["add", "acme"], "", "--username"),
        ],
    )
    def test_what_makes_no_sense(self, command: Command, arguments: list[str], given: str, message: str) -> None:
        result = command("tenants", *arguments, "--password-stdin", input=f"{given}\n", code=2)
        assert message in result.stderr
        assert "planted" not in result.stderr
        assert printed(command("tenants", "list", "--json")) == []

    def test_a_password_in_another_encoding(self, command: Command) -> None:
        assert "The U-Mail password is not UTF-8" in command(*ADD, input=b"\xc4\n", code=2).stderr

    def test_nothing_is_asked_without_a_terminal(self, command: Command) -> None:
        added(command)
        assert "--password-stdin" in command("tenants", "rotate", "acme", input="x\n", code=2).stderr
        assert "--yes" in command("tenants", "remove", "acme", input="y\n", code=2).stderr

    def test_where_tenants_are_not_in_the_database(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UMAIL_GATEWAY_TENANTS_URL", "file:tenants.yaml")
        assert "names a file" in command("tenants", "list", code=2).stderr

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("DATABASE_URL", "sqlite:////nowhere/gateway.db", "cannot be opened"),
            ("DATABASE_URL", "postgresql://u:planted@127.0.0.1:1/x", "cannot be opened"),
            ("DATA_DIR", "/dev/null/x", "/dev/null/x cannot be made"),
            ("PORT", "x", "UMAIL_GATEWAY_PORT"),
        ],
    )
    def test_settings_that_cannot_be_used(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
    ) -> None:
        monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY", generate_master_key())
        monkeypatch.setenv(f"UMAIL_GATEWAY_{name}", value)
        result = command("tenants", "list", code=2)
        assert message in result.stderr
        assert "planted" not in result.output

    def test_at_a_terminal(self, command: Command, tmp_path: Path) -> None:
        arguments = ["tenants", "add", "acme", "--username", "demo", "--no-probe"]
        assert PASSWORD not in typed(tmp_path, arguments, f"{PASSWORD}\n")
        assert printed(command("tenants", "show", "acme", "--json"))["upstream"]["username"] == "demo"
        assert "Nothing was done" in typed(tmp_path, ["tenants", "remove", "acme"], "n\n", code=1)
        typed(tmp_path, ["tenants", "remove", "acme"], "y\n")
        command("tenants", "show", "acme", code=1)


def typed(folder: Path, arguments: list[str], text: str, code: int = 0) -> str:
    """Run a command at a terminal of its own where `text` is typed; return what is seen there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        seen = b""
        # What is typed before the prompt has silenced the terminal would be shown.
        while b": " not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, text.encode())
        try:
            while more := os.read(ours, 1024):
                seen += more
        except OSError:
            # How Linux tells that nobody holds the other end any more.
            pass
        assert process.wait(timeout=30) == code, seen
    os.close(ours)
    return seen.decode()


class TestEditing:
    def test_cache_lifetimes_are_added_one_by_one(self, command: Command) -> None:
        added(command)
        command("tenants", "edit", "acme", "--cache", "lists.list=5")
        record = printed(command("tenants", "edit", "acme", "--cache", "*=60", "--json"))
        assert record["cache"] == {"lists.list": 5, "*": 60}
        assert (
            "did you mean 'lists.list'" in command("tenants", "edit", "acme", "--cache", "lists.lst=5", code=2).stderr
        )
        assert "must be like" in command("tenants", "edit", "acme", "--cache", "lists.list", code=2).stderr

    def test_without_changes_nothing_changes(self, command: Command) -> None:
        before = added(command)
        result = command("tenants", "edit", "acme", "--json")
        assert printed(result) == before
        assert "Nothing was changed" in result.stderr


class TestKeys:
    def test_a_key_is_shown_once(self, command: Command) -> None:
        added(command)
        options = "--scope read --scope send --expires 90d --network 10.0.0.0/8 --id web --requests-per-minute 5"
        created = printed(command("keys", "create", "acme", *options.split(), "--json"))
        key = created.pop("key")
        listed = command("keys", "list", "acme", "--json")
        assert printed(listed) == [created]
        assert created["prefix"] == key[:12]
        assert (sorted(created["scopes"]), created["networks"]) == (["read", "send"], ["10.0.0.0/8"])
        table = command("keys", "list").stdout
        assert key[:12] in table
        assert "10.0.0.0/8" in table
        assert key not in listed.output + table
        command("keys", "revoke", "acme", "web")
        assert printed(command("keys", "list", "--json")) == []
        assert printed(command("keys", "list", "--all", "--json"))[0]["revoked_at"]
        assert "had, a key web" in command("keys", "create", "acme", "--id", "web", code=1).stderr

    def test_what_is_revoked_already_is_said_so(self, command: Command) -> None:
        added(command)
        command("keys", "create", "acme", "--id", "web")
        assert command("keys", "revoke", "acme", "web").stdout == "Key web of acme is revoked.\n"
        assert "already" in command("keys", "revoke", "acme", "web", code=1).stderr

    def test_a_key_is_replaced_with_an_overlap(self, command: Command) -> None:
        added(command)
        command(
            "keys", "create", "acme", "--id", "web", "--scope", "send", "--network", "10.0.0.0/8", "--expires", "1h"
        )
        created = printed(command("keys", "rotate", "acme", "web", "--overlap", "24h", "--id", "web-2", "--json"))
        assert created["key"].startswith("umg_")
        former, new = printed(command("keys", "list", "--json"))
        assert (new["id"], new["scopes"], new["networks"]) == ("web-2", ["send"], ["10.0.0.0/8"])
        assert new["expires_at"] is None
        # The same person, or somebody could be two by a new key.
        assert new["subject"] == "web"
        # An earlier end of its own stays.
        assert datetime.fromisoformat(former["expires_at"]) < datetime.now(UTC) + timedelta(hours=2)
        command("keys", "revoke", "acme", "web")
        assert "no valid key web" in command("keys", "rotate", "acme", "web", code=1).stderr

    def test_one_for_people(self, command: Command) -> None:
        added(command)
        lines = command("keys", "create", "acme", "--expires", "2099-01-01T00:00:00+08:00").stdout.splitlines()
        assert lines[0].startswith("key:     umg_")
        assert lines[2:] == ["scopes:  read", "expires: 2098-12-31T16:00:00Z"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--scope", "fly"],
            ["--network", "10.0.0.1/8"],
            ["--network", "x; DROP TABLE tenants"],
            ["--expires", "0d"],
            ["--expires", "2020-01-01T00:00:00Z"],
            ["--expires", "2099-01-01T00:00:00"],
            ["--expires", "99999999d"],
            ["--id", "../x"],
            ["--requests-per-minute", "0"],
        ],
    )
    def test_what_makes_no_sense(self, command: Command, arguments: list[str]) -> None:
        added(command)
        command("keys", "create", "acme", *arguments, code=2)
        assert printed(command("keys", "list", "--json")) == []


class TestMasterKeys:
    def test_new_ones_differ(self, command: Command) -> None:
        made = [MasterKey.parse(command("keys", "generate-master").stdout).id for _ in range(2)]
        assert made[0] != made[1]

    def test_one_is_made_and_kept(self, command: Command, tmp_path: Path) -> None:
        assert "master_key_made" in command("tenants", "list").stderr
        path = tmp_path / "data" / "master.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        before = path.read_text(encoding="ascii")
        assert command("tenants", "list").stderr == ""
        assert path.read_text(encoding="ascii") == before
        assert [each.name for each in path.parent.iterdir() if "master" in each.name] == ["master.key"]
        path.write_text("x", encoding="ascii")
        assert "does not hold a master key" in command("tenants", "list", code=2).stderr

    def test_rotation(self, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        old, new = generate_master_key(), generate_master_key()
        monkeypatch.setenv("UMAIL_GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
        assert "MASTER_KEY is needed" in command("tenants", "list", code=2).stderr
        monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY", old)
        added(command)
        monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY", new)
        assert "is not configured" in command("tenants", "list", code=2).stderr
        monkeypatch.delenv("UMAIL_GATEWAY_MASTER_KEY")
        file = tmp_path / "keys"
        monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY_FILE", str(file))
        file.write_text(f"{new}\n{old}\n", encoding="ascii")
        assert "1 tenants were" in command("keys", "rotate-master").stdout
        file.write_text(new, encoding="ascii")
        result = command("tenants", "list")
        assert "acme" in result.stdout
        assert old not in result.output
        assert new not in result.output


def test_what_could_steer_a_terminal_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("a\x1b[31m\u202eb\nc") == r"a\x1b[31m\u202eb\nc"
    print_table(("id", "name"), [("a", "新闻"), ("é́", ""), ("c", True)])
    assert capsys.readouterr().out == "ID  NAME\na   新闻\né́   -\nc   yes\n"


async def test_a_login_is_tried_before_it_is_saved(command: Command, sandbox: Sandbox) -> None:
    def work() -> None:
        add = ["tenants", "add", "acme", "--base-url", sandbox.base_url, "--username", "seeded", "--password-stdin"]
        assert "refused: " in command(*add, input=f"{PASSWORD}\n", code=1).stderr
        command("tenants", "show", "acme", code=1)
        command(*add, input="seeded-password\n")
        assert command("tenants", "probe", "acme").stdout == "accepted\n"
        rotate = ["tenants", "rotate", "acme", "--password-stdin"]
        assert "refused: " in command(*rotate, input=f"{PASSWORD}\n", code=1).stderr
        assert printed(command("tenants", "show", "acme", "--json"))["staged"] is None
        assert command("tenants", "probe", "acme").stdout == "accepted\n"
        elsewhere = [*rotate, "--base-url", "http://169.254.169.254/"]
        assert "not allowed" in command(*elsewhere, input=f"{PASSWORD}\n", code=2).stderr
        nowhere = [*rotate, "--base-url", "http://127.0.0.1:9/"]
        said = command(*nowhere, input=f"{PASSWORD}\n", code=1).stderr
        assert "unknown: " in said
        assert "Should http://127.0.0.1:9/ end in /mm-ms/apinew/?" in said

    # Commands have event loops of their own.
    await asyncio.to_thread(work)


async def test_a_key_made_here_answers_there(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    async def run(*arguments: str, **given: str) -> Result:
        # Commands have event loops of their own.
        return await asyncio.to_thread(command, *arguments, **given)

    await asyncio.to_thread(added, command, "--base-url", sandbox.base_url)
    await run("tenants", "rotate", "acme", "--username", "seeded", "--password-stdin", input="seeded-password\n")
    key = printed(await run("keys", "create", "acme", "--json"))["key"]
    gateway = GatewayProcess(tmp_path, {"DATA_DIR": tmp_path / "data"})
    await gateway.start()
    try:
        async with httpx2.AsyncClient(base_url=gateway.url, headers={"X-API-Key": key}) as client:
            response = await client.get("/v1/lists")
            assert response.status_code == 200, response.text
            assert response.json()["data"]
            await run("tenants", "disable", "acme")
            while (await client.get("/v1/lists")).json().get("code") != "tenant_disabled":
                pass
            await run("tenants", "enable", "acme")
            await run("keys", "revoke", "acme", printed(await run("keys", "list", "--json"))[0]["id"])
            while (await client.get("/v1/lists")).status_code != 401:
                pass
    finally:
        await gateway.terminate()
    assert key not in gateway.log
    assert "seeded-password" not in gateway.log
