"""The sandbox's own URLs."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Account, Sandbox

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]


class TestFaults:
    async def test_queue_over_http(self, web: httpx2.AsyncClient, fetch: Fetch) -> None:
        added = await web.post("/_sandbox/faults", json={"kind": "status", "status": 502, "times": 2, "delay": 0})
        assert added.status_code == 201
        assert (await fetch("maillist-list")).status_code == 502
        (listed,) = (await web.get("/_sandbox/faults")).json()["faults"]
        assert listed == {
            "kind": "status",
            "operation": None,
            "times": 2,
            "delay": 0,
            "status": 502,
            "retry_after": None,
            "every": None,
            "seen": 1,
            "hits": 1,
        }
        assert (await web.delete("/_sandbox/faults")).json() == {"cleared": 1}
        assert (await web.get("/_sandbox/faults")).json() == {"faults": []}
        assert (await fetch("maillist-list")).status_code == 200

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            ({"kind": "explode"}, "reset_before"),
            ({}, "kind is required"),
            ({"kind": "status", "colour": "red"}, "colour"),
            ({"kind": "status", "times": "1"}, "times has the wrong type"),
            ({"kind": "status", "times": True}, "times has the wrong type"),
            ({"kind": "status", "operation": "no-such"}, "maillist-list"),
            ({"kind": "status", "times": 0}, "at least 1"),
            (["status"], "JSON object"),
        ],
    )
    async def test_nonsense_is_explained(self, web: httpx2.AsyncClient, body: object, word: str) -> None:
        response = await web.post("/_sandbox/faults", json=body)
        assert response.status_code == 422
        assert response.json()["error"] == "invalid_fault"
        assert word in " ".join(response.json()["problems"])
        assert (await web.get("/_sandbox/faults")).json() == {"faults": []}

    async def test_no_json(self, web: httpx2.AsyncClient) -> None:
        for content in (b"{", b"\xff"):
            assert (await web.post("/_sandbox/faults", content=content)).status_code == 400


class TestState:
    async def test_accounts(self, web: httpx2.AsyncClient) -> None:
        accounts = (await web.get("/_sandbox/state")).json()["accounts"]
        assert [entry["username"] for entry in accounts] == ["acme", "demo", "other", "boss"]
        assert accounts[1]["counts"]["contacts"] == 120

    async def test_dump(self, web: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        dump = (await web.get("/_sandbox/state?account=demo")).json()
        state = sandbox.state("demo")
        assert {int(number) for number in dump["contacts"]} == set(state.contacts)
        assert dump["customer_id"] == state.customer_id
        (template, *_) = dump["templates"].values()
        assert next(iter(template["attachments"].values()))["content"] == {"size": 28}
        (campaign, *_) = dump["campaigns"].values()
        assert campaign["task_id"] != campaign["track_id"]
        assert "deliveries" not in campaign
        (contact, *_) = dump["contacts"].values()
        assert contact["time"].startswith("2026-08-")

    async def test_unknown_account(self, web: httpx2.AsyncClient) -> None:
        assert (await web.get("/_sandbox/state?account=nobody")).status_code == 404


async def test_no_password_is_ever_shown(ask: Ask, web: httpx2.AsyncClient) -> None:
    await ask("customer-domain-add", domain="b.example")
    await ask("mailbox-add", mailbox="a@b.example", pwd="t0p-s3cret")
    await web.get("/mm-ms/api/account.php", params={"do": "x", "username": "acme", "password": "d1gest"})
    await web.post("/sendstat/", data={"username": "acme", "password": "t0p-s3cret"})
    calls = await web.get("/_sandbox/calls")
    texts = [calls.text, (await web.get("/_sandbox/state?account=acme")).text, (await web.get("/_sandbox/state")).text]
    for text in texts:
        for secret in ("t0p-s3cret", "d1gest", "YWNtZTpzZWNyZXQ", '"secret"'):
            assert secret not in text
    recorded = calls.json()["calls"]
    assert [call["operation"] for call in recorded] == ["customer-domain-add", "mailbox-add", "x", "login"]
    assert recorded[1]["query"] == {"mailbox": "a@b.example", "pwd": "***", "do": "mailbox-add"}
    assert recorded[1]["account"] == "acme"


async def test_files_in_calls(ask: Ask, web: httpx2.AsyncClient) -> None:
    await ask("ml-addr-add-file", list_id=1, files=[("file", ("a.csv", b"12345"))])
    (call,) = (await web.get("/_sandbox/calls")).json()["calls"]
    assert call["files"] == [{"name": "file", "filename": "a.csv", "size": 5}]


async def test_control_does_not_count_as_calls(web: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    await web.get("/_sandbox/state")
    assert sandbox.calls == []


async def test_no_smtp_unless_asked_for() -> None:
    async with Sandbox([Account("a", "1")]) as sandbox:
        with pytest.raises(RuntimeError):
            _ = sandbox.smtp_port
        assert sandbox.messages == []
