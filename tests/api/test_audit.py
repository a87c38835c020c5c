"""What the audit log says of requests, and of which it says nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from app.sandbox import Sandbox
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, READ_KEY, TRACE, make_tenant

ADMIN_TOKEN = "operators-token-of-forty-characters-here"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
MAILBOX = "editor@news.example.com"


class Log:
    """An audit log in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.jsonl"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What has been written since the last look."""
        lines = self.path.read_text().splitlines()
        self.path.unlink()
        return [json.loads(line) for line in lines]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def application(log: Log, *replies: httpx2.Response, **settings: Any) -> Any:
    platform = FakePlatform([*replies, xml_reply("<maillist/>")])
    return make_app([make_tenant()], platform.transport, audit_log=str(log.path), admin_token=ADMIN_TOKEN, **settings)


async def test_reads_leave_nothing(log: Log) -> None:
    async with client_of(application(log)) as client:
        for path in ("/v1/lists", "/healthz", "/metrics", "/v1/nothing"):
            await client.get(path)
        await client.options("/v1/lists")
    assert log.entries == []


async def test_a_change(log: Log, sandbox: Sandbox) -> None:
    tenant = make_tenant(base_url=sandbox.base_url, password="密码:acme")
    app = make_app([tenant], audit_log=str(log.path))
    async with client_of(app) as client:
        headers = {"traceparent": TRACE, "X-Request-ID": "request-1"}
        made = await client.post("/v1/lists", json={"name": "news"}, headers=headers)
        list_id = str(made.json()["id"])
        await client.patch(f"/v1/lists/{list_id}", json={"name": "other"})
        await client.delete(f"/v1/lists/{list_id}")
        await client.delete(f"/v1/lists/{list_id}")
    first, *others = log.entries
    assert first.pop("time").endswith("Z")
    assert first == {
        "event": "audit",
        "tenant": "acme",
        "key": "all",
        "client": "127.0.0.1",
        "method": "POST",
        "operation": "create_contact_list",
        "targets": {"created": list_id},
        "status": 201,
        "code": None,
        "replayed": False,
        "request_id": "request-1",
        "trace_id": TRACE[3:35],
        "tool": None,
    }
    told = [(each["operation"], each["targets"], each["status"], each["code"]) for each in others]
    targets = {"list_id": list_id}
    assert told == [
        ("edit_contact_list", targets, 200, None),
        ("delete_contact_list", targets, 204, None),
        ("delete_contact_list", targets, 404, "not_found"),
    ]


async def test_a_replayed_answer_says_so(log: Log, sandbox: Sandbox) -> None:
    tenant = make_tenant(base_url=sandbox.base_url, password="密码:acme")
    async with client_of(make_app([tenant], audit_log=str(log.path))) as client:
        for _ in range(2):
            await client.post("/v1/lists", json={"name": "news"}, headers={"Idempotency-Key": "k"})
    assert [(each["status"], each["replayed"]) for each in log.entries] == [(201, False), (201, True)]


@pytest.mark.parametrize(
    ("key", "path", "expected"),
    [
        ("umg_wrong", "/v1/lists/78", (None, None, "delete_contact_list", {"list_id": "78"}, 401, "unauthenticated")),
        (
            READ_KEY,
            "/v1/contacts/7",
            ("acme", "reader", "delete_contact", {"contact_id": "7"}, 403, "insufficient_scope"),
        ),
        (KEY, "/v1/lists/x", ("acme", "all", "delete_contact_list", {"list_id": "x"}, 422, "validation_failed")),
        (KEY, "/v1/nothing/a@b.example", ("acme", "all", None, {}, 404, "not_found")),
    ],
)
async def test_refused_attempts(log: Log, key: str, path: str, expected: tuple[Any, ...]) -> None:
    async with client_of(application(log), key) as client:
        await client.delete(path)
    (entry,) = log.entries
    assert tuple(entry[name] for name in ("tenant", "key", "operation", "targets", "status", "code")) == expected


async def test_what_is_refused_before_everything_else(log: Log) -> None:
    async with client_of(application(log)) as client:
        await client.post("/v1/lists", json={}, headers={"Request-Timeout": "never"})
    assert [(each["status"], each["code"]) for each in log.entries] == [(400, "malformed_request")]


async def test_operators(log: Log) -> None:
    async with client_of(application(log), None) as client:
        await client.get("/admin/v1/breakers", headers=ADMIN)
        await client.post("/admin/v1/cache/purge", headers=ADMIN, json={"tenant": "acme", "tag": "lists"})
        await client.post("/admin/v1/cache/purge", headers={"Authorization": "Bearer wrong"}, json={"tenant": "acme"})
    told = [(each["key"], each["operation"], each["targets"], each["status"]) for each in log.entries]
    assert told == [
        ("admin", "list_breakers", {}, 200),
        ("admin", "purge_cache", {"tenant": "acme", "tag": "lists"}, 204),
        (None, "purge_cache", {}, 401),
    ]


@pytest.mark.parametrize("addresses", ["hashed", "plain"])
async def test_a_persons_address(log: Log, addresses: str) -> None:
    async with client_of(application(log, audit_addresses=addresses)) as client:
        await client.put(f"/v1/mailboxes/{MAILBOX}/password", json={"password": "new-Password-1"})
    text = log.path.read_text()
    assert (MAILBOX in text) is (addresses == "plain")
    assert ("hmac:" in text) is (addresses == "hashed")
    assert "new-Password-1" not in text


async def test_a_client_that_left(log: Log) -> None:
    """The change may have been carried out, so it is written down even though nobody could be answered."""
    app = application(log)
    called = asyncio.Event()

    async def receive() -> Message:
        called.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(_message: Message) -> None:
        raise AssertionError("nobody is there")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/lists",
        "query_string": b"",
        "headers": [(b"x-api-key", KEY.encode()), (b"content-type", b"application/json")],
        "client": ("192.0.2.1", 1),
    }
    async with app.router.lifespan_context(app):
        request = asyncio.create_task(app(scope, receive, send))
        await called.wait()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    assert [(each["operation"], each["status"], each["client"]) for each in log.entries] == [
        ("create_contact_list", None, "192.0.2.1")
    ]


async def test_standard_output_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    platform = FakePlatform([xml_reply("<maillist/>")])
    async with client_of(make_app([make_tenant()], platform.transport)) as client:
        await client.delete("/v1/lists/x")
    assert json.loads(capsys.readouterr().out)["operation"] == "delete_contact_list"


async def test_off(capsys: pytest.CaptureFixture[str]) -> None:
    platform = FakePlatform([xml_reply("<maillist/>")])
    async with client_of(make_app([make_tenant()], platform.transport, audit_log="off")) as client:
        await client.delete("/v1/lists/x")
    assert capsys.readouterr().out == ""


async def test_a_lost_entry_is_counted_and_fails_nothing(log: Log, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with client_of(application(Log(folder))) as client:
        folder.rename(tmp_path / "gone")
        response = await client.post("/admin/v1/cache/purge", headers=ADMIN, json={})
        assert response.status_code == 204
        assert "umail_gateway_audit_failures_total 1.0" in (await client.get("/metrics")).text
