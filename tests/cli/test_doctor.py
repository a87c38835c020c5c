"""Looking an account over from the command line, over real connections to the sandbox and to odder platforms."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.command import app
from app.doctor.diagnosis import PLAN
from app.sandbox import Sandbox
from app.sandbox.faults import Fault
from tests.support.gateways import tenants_file
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.servers import read_request, serving
from tests.support.tenants import make_tenant

PASSWORD = "planted-password"

Command = Callable[..., Result]
Doctor = Callable[..., Awaitable[Result]]
Answer = Callable[[str], bytes]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs `umail-gateway doctor`; tenants are whatever the accounts of a platform are."""
    for name in [name for name in os.environ if name.startswith("UMAIL_GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UMAIL_GATEWAY_DATA_DIR", str(tmp_path / "data"))

    def run(base_url: str, *arguments: str, code: int = 0, pause: str = "0") -> Result:
        accounts = [("seeded", "seeded-password"), ("acme", "密码:acme"), ("wrong", PASSWORD)]
        monkeypatch.setenv("UMAIL_GATEWAY_TENANTS_URL", tenants_file(tmp_path, base_url, accounts))
        result = CliRunner().invoke(app, ["doctor", *arguments, "--pause", pause])
        assert result.exit_code == code, result.output
        assert PASSWORD not in result.output
        return result

    return run


@pytest.fixture
def doctor(command: Command) -> Doctor:
    """Runs the same beside the test's event loop: commands have event loops of their own."""
    return partial(asyncio.to_thread, command)


@asynccontextmanager
async def platform(answer: Answer) -> AsyncIterator[str]:
    """A platform that answers each path with a body."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = answer((await read_request(reader)).split()[1].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with serving(behave) as base_url:
        yield base_url


def found(result: Result) -> dict[str, dict[str, Any]]:
    """Return the findings that a command printed as JSON, by operation."""
    return {each["operation"]: each for each in json.loads(result.stdout)["operations"]}


def outcomes(result: Result) -> dict[str, set[str]]:
    """Return the operations that came to each outcome."""
    by_outcome: dict[str, set[str]] = {}
    for name, each in found(result).items():
        by_outcome.setdefault(each["outcome"], set()).add(name)
    return by_outcome


class TestAccounts:
    async def test_with_data(self, doctor: Doctor, sandbox: Sandbox) -> None:
        result = await doctor(sandbox.base_url, "seeded", "--json")
        assert found(result).keys() == {check.operation.name for check in PLAN}
        # Nothing told of an import.
        assert outcomes(result)["skipped"] == {"imports.get"}
        assert outcomes(result)["empty"] == {"exports.unsubscribes"}
        assert found(result)["exports.unsubscribes"]["calls"] == 3
        assert found(result)["lists.list"]["records"] == 5
        counts = json.loads(result.stdout)["counts"]
        assert counts == {"decoded": 29, "empty": 1, "drifted": 0, "refused": 0, "unreachable": 0, "skipped": 1}

    async def test_nothing_but_reads_goes_out(self, doctor: Doctor, sandbox: Sandbox) -> None:
        await doctor(sandbox.base_url, "seeded")
        reads = {(check.operation.script, check.operation.do) for check in PLAN}
        called = {(call.script, call.query.get("do")) for call in sandbox.calls}
        assert {script.removesuffix(".php") for script, _ in called} <= {each.removesuffix(".php") for each, _ in reads}
        assert {do for _, do in called} <= {do for _, do in reads}
        assert {call.method for call in sandbox.calls} == {"GET"}

    async def test_finished_campaigns_are_asked_about_first(self, doctor: Doctor, sandbox: Sandbox) -> None:
        await doctor(sandbox.base_url, "seeded", "--only", "tracking.recipients", "--only", "statistics.daily")
        campaigns = sandbox.state("seeded").campaigns.values()
        newest = max(
            (each for each in campaigns if each.track_status == 2 and each.status == 3), key=lambda each: each.id
        )
        overview, recipients = [call.query for call in sandbox.calls if call.operation in {"overview", "trackexport"}]
        assert overview["id"] == str(newest.id)
        assert recipients["track_id"] == str(newest.track_id)

    async def test_without_data(self, doctor: Doctor, sandbox: Sandbox) -> None:
        result = await doctor(sandbox.base_url, "acme", "--json")
        assert "lists.list" in outcomes(result)["empty"]
        assert "refused" not in outcomes(result)
        assert found(result)["contacts.find"]["reason"] == "no list id to ask with"
        assert found(result)["tracking.recipients"]["reason"] == "no tracking id to ask with"

    async def test_for_people(self, doctor: Doctor, sandbox: Sandbox) -> None:
        lines = (await doctor(sandbox.base_url, "seeded", "--only", "lists.get", "--only", "account.get")).stdout
        assert [line.split() for line in lines.splitlines()[:-1]] == [
            ["OPERATION", "MANUAL", "OUTCOME", "RECORDS", "DETAIL"],
            ["account.get", "1.1", "decoded", "-", "-"],
            ["lists.list", "4.1", "decoded", "5", "-"],
            ["lists.get", "4.2", "decoded", "-", "-"],
        ]
        assert lines.splitlines()[-1] == "3 decoded"
        assert len(sandbox.calls) == 3


class TestTrouble:
    async def test_what_the_platform_adds(self, doctor: Doctor, sandbox: Sandbox) -> None:
        sandbox.misbehave(Fault(kind="unknown_elements", operation="maillist-list"))
        result = await doctor(sandbox.base_url, "seeded", "--only", "lists.get", "--json", code=1)
        assert outcomes(result) == {"drifted": {"lists.list"}, "decoded": {"lists.get"}}
        assert found(result)["lists.list"]["drift"] == [
            {"kind": "unknown_element", "path": "maillist/item/new_in_v20"},
            {"kind": "unknown_element", "path": "maillist/new_in_v20"},
        ]

    async def test_what_it_leaves_out(self, doctor: Doctor) -> None:
        async with platform(lambda _: b"<customer><id>7</id><secret>geheim</secret></customer>") as base_url:
            people = await doctor(base_url, "seeded", "--only", "account.get", code=1)
        assert "missing_element customer/address; missing_element customer/company; " in people.stdout
        assert "and 4 more" in people.stdout
        assert "geheim" not in people.stdout

    async def test_a_refused_login_is_tried_once(self, doctor: Doctor, sandbox: Sandbox) -> None:
        result = await doctor(sandbox.base_url, "wrong", "--json", code=1)
        assert outcomes(result)["refused"] == {"account.get"}
        assert found(result)["account.get"]["refusal"]["code"] == "upstream_credentials_rejected"
        assert {each["reason"] for each in found(result).values()} == {None, "the login was refused"}
        assert len(sandbox.calls) == 1

    async def test_one_that_is_refused(self, doctor: Doctor) -> None:
        def answer(path: str) -> bytes:
            if "service-info" in path:
                data = f"Zugriff verweigert: {PASSWORD}\x9b31m".encode()
                return b"<result><status>no_permission</status><data>%b</data></result>" % data
            return b"<customer><id>7</id></customer>"

        async with platform(answer) as base_url:
            only = ("--only", "account.service", "--only", "account.get")
            result = await doctor(base_url, "wrong", *only, "--json", code=1)
            people = await doctor(base_url, "wrong", *only, code=1)
        assert found(result)["account.service"]["refusal"] == {
            "code": "upstream_rejected",
            "detail": "The platform refused the request.",
            "status": "no_permission",
            "message": "Zugriff verweigert: ***\x9b31m",
        }
        assert r"upstream_rejected: no_permission Zugriff verweigert: ***\x9b31m" in people.stdout

    async def test_one_that_is_not_there(self, doctor: Doctor) -> None:
        async with platform(lambda _: b"<result><status>not_exist</status></result>") as base_url:
            result = await doctor(base_url, "seeded", "--only", "account.get", "--json", code=1)
        assert found(result)["account.get"]["refusal"]["code"] == "not_found"

    def test_a_platform_that_does_not_answer(self, command: Command) -> None:
        result = command("http://127.0.0.1:9/", "seeded", "--only", "account.get", code=1)
        assert "upstream_unavailable: cannot connect" in result.stdout

    async def test_an_export_is_cut_off(self, doctor: Doctor, tmp_path: Path) -> None:
        cut = asyncio.Event()

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            if b"maillist-list" in request:
                writer.write(b"<maillist><item><id>7</id><count>1</count></item></maillist>")
                await writer.drain()
                return
            try:
                # The first one comes long before the others.
                writer.write(b"li.na@shop.example\tname\n")
                await writer.drain()
                await asyncio.sleep(0.1)
                while True:
                    writer.write(b"li.na@shop.example\tname\n" * 100)
                    await writer.drain()
            except ConnectionError:
                cut.set()

        async with serving(endless) as base_url:
            arguments = ("--only", "exports.contacts", "--record", str(tmp_path / "kept"), "--json")
            result = await doctor(base_url, "seeded", *arguments, code=1)
            async with asyncio.timeout(10):
                await cut.wait()
        assert found(result)["exports.contacts"]["outcome"] == "decoded"
        assert 100 <= found(result)["exports.contacts"]["records"] < 100_000
        reply = (tmp_path / "kept" / "exports" / "contacts" / "recorded.reply.txt").read_bytes()
        assert reply == b"user1@example.com\taaaa\n" * 100


async def test_calls_are_apart(doctor: Doctor, sandbox: Sandbox) -> None:
    started = time.monotonic()
    await doctor(sandbox.base_url, "seeded", "--only", "contacts.find", pause="0.3")
    # Two calls, and the pause between them.
    assert len(sandbox.calls) == 2
    assert time.monotonic() - started >= 0.3


class TestRecording:
    async def test_what_is_kept_works_as_golden_files_do(
        self, doctor: Doctor, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        folder = tmp_path / "kept"
        result = await doctor(sandbox.base_url, "seeded", "--record", str(folder), "--json")
        unrecorded = {name: each["unrecorded"] for name, each in found(result).items() if not each["recorded"]}
        assert unrecorded == {"imports.get": None, "identifiers.resolve": "an endpoint takes several calls for it"}
        text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.*"))
        for original in ("seeded", "shop.example", "13500", "王", "北京", "Members", "newsletter", "@mail.example"):
            assert original not in text
        replies = FakePlatform([])
        gateway = make_app([make_tenant()], replies.transport)
        async with client_of(gateway) as client:
            for case in folder.rglob("recorded.json"):
                (reply,) = case.parent.glob("recorded.reply.*")
                replies.replies = [xml_reply(reply.read_bytes())]
                response = await client.get(json.loads(case.read_text())["input"]["path"])
                assert response.status_code == 200, (case, response.text)

    async def test_files_that_are_there(self, doctor: Doctor, sandbox: Sandbox, tmp_path: Path) -> None:
        arguments = ("seeded", "--only", "account.get", "--record", str(tmp_path / "kept"))
        await doctor(sandbox.base_url, *arguments)
        assert "not recorded: there is one already" in (await doctor(sandbox.base_url, *arguments)).stdout
        forced = await doctor(sandbox.base_url, *arguments, "--force", "--json")
        assert found(forced)["account.get"]["recorded"].endswith("kept/account/get/recorded.json")


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("nobody",), 1, "There is no tenant nobody."),
            (("seeded", "--only", "lists.delete"), 2, "--only: There is no read lists.delete; there are account.get, "),
            (("seeded", "--record", "tenants.yaml"), 2, "--record: File exists"),
            (("seeded", "--colour"), 2, "No such option"),
            ((), 2, "TENANT"),
        ],
    )
    def test_what_makes_no_sense(self, command: Command, arguments: tuple[str, ...], code: int, message: str) -> None:
        assert message in command("http://127.0.0.1:9/", *arguments, code=code).stderr

    def test_nothing_is_made_for_a_tenant_that_is_not_there(self, command: Command, tmp_path: Path) -> None:
        command("http://127.0.0.1:9/", "nobody", "--record", str(tmp_path / "kept"), code=1)
        assert not (tmp_path / "kept").exists()

    @pytest.mark.parametrize("pause", ["-1", "nan", "x", "4000"])
    def test_pauses_that_are_none(self, command: Command, pause: str) -> None:
        assert "--pause" in command("http://127.0.0.1:9/", "seeded", code=2, pause=pause).stderr

    def test_where_a_platform_may_not_be(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UMAIL_GATEWAY_REFUSED_UPSTREAMS", "127.0.0.0/8")
        assert "not allowed" in command("http://127.0.0.1:9/", "seeded", code=2).stderr

    async def test_tenants_in_the_database(
        self, command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def work() -> None:
            command(sandbox.base_url, "nobody", code=1)
            monkeypatch.delenv("UMAIL_GATEWAY_TENANTS_URL")
            add = ["tenants", "add", "acme", "--base-url", sandbox.base_url, "--username", "seeded"]
            run = CliRunner()
            assert run.invoke(app, [*add, "--password-stdin", "--no-probe"], input="seeded-password\n").exit_code == 0
            only = ["doctor", "acme", "--only", "account.get"]
            nobody = run.invoke(app, ["doctor", "nobody"])
            assert (nobody.exit_code, "no tenant nobody" in nobody.stderr) == (1, True)
            assert "1 decoded" in run.invoke(app, only).stdout
            monkeypatch.setenv("UMAIL_GATEWAY_REFUSED_UPSTREAMS", "127.0.0.0/8")
            refused = run.invoke(app, only)
            assert (refused.exit_code, "not allowed" in refused.stderr) == (2, True)
            monkeypatch.setenv("UMAIL_GATEWAY_DATABASE_URL", "sqlite:////nowhere/gateway.db")
            assert run.invoke(app, only).exit_code == 2

        await asyncio.to_thread(work)
