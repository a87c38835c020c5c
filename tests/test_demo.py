"""`umail-gateway demo`, used as a newcomer uses it."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.storage.events.log import event_id
from tests.support.demos import running_demo
from tests.support.processes import lines_until, run, running


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the demo printed: url, key, second, sandbox."""
    with running_demo(tmp_path_factory.mktemp("demo")) as found:
        yield found


def client(demo: dict[str, str], key: str) -> httpx2.Client:
    return httpx2.Client(base_url=demo["url"], headers={"Authorization": f"Bearer {demo[key]}"})


def held(demo: dict[str, str], account: str) -> dict[str, Any]:
    state: dict[str, Any] = httpx2.get(f"{demo['sandbox']}/_sandbox/state", params={"account": account}).json()
    return state


def test_the_walk(demo: dict[str, str]) -> None:
    """Create a list, add one contact and a batch, page through, change, delete; the sandbox holds exactly that."""
    with client(demo, "key") as gateway:
        created = gateway.post("/v1/lists", json={"name": "新闻订阅", "description": "北京读者"})
        assert created.status_code == 201
        location = created.headers["location"]
        one = gateway.post(f"{location}/contacts", json={"email": "li.na@example.com", "name": "李娜", "phone": "0755"})
        assert one.status_code == 201
        rows = [{"email": f"user{number}@example.com", "name": f"用户{number}"} for number in range(7)]
        assert gateway.post(f"{location}/contacts/batch", json={"contacts": rows}).json()["accepted"] == 7

        pages, url = [], f"{location}/contacts?page_size=3"
        while url:
            page = gateway.get(url)
            pages.append([each["email"] for each in page.json()["data"]])
            url = page.links.get("next", {}).get("url", "")
        assert [len(page) for page in pages] == [3, 3, 2]
        expected = {"li.na@example.com", *(row["email"] for row in rows)}
        assert {email for page in pages for email in page} == expected

        list_id = created.json()["id"]
        contacts = held(demo, "demo")["contacts"].values()
        assert {each["address"] for each in contacts if each["list_id"] == list_id} == expected

        changed = gateway.patch(one.headers["location"], json={"name": "李娜娜"})
        assert (changed.status_code, changed.json()["name"], changed.json()["phone"]) == (200, "李娜娜", "0755")
        assert gateway.patch(location, json={"status": "disabled"}).json()["status"] == "disabled"
        assert gateway.delete(one.headers["location"]).status_code == 204
        assert gateway.get(one.headers["location"]).status_code == 404

        with client(demo, "second") as other:
            assert other.get("/v1/lists").json() == {"data": []}
            assert other.get(location).json()["code"] == "not_found"
            assert other.get("/v1/contacts").json()["pagination"]["total"] == 0

        assert gateway.delete(f"{location}/contacts?confirm=true").status_code == 204
        assert gateway.delete(location).status_code == 204
        assert gateway.get(location).status_code == 404
        state = held(demo, "demo")
        assert all(each["id"] != list_id for each in state["lists"].values())
        assert all(each["list_id"] != list_id for each in state["contacts"].values())


def test_the_first_account_has_something_to_see(demo: dict[str, str]) -> None:
    with client(demo, "key") as gateway:
        assert len(gateway.get("/v1/lists").json()["data"]) >= 3
        assert gateway.get("/v1/contacts").json()["pagination"]["total"] > 100


def test_a_message_arrives(demo: dict[str, str]) -> None:
    message = {
        "from": {"email": "news@demo.example", "name": "小王"},
        "to": ["li.na@example.com", {"email": "zhang.wei@example.com", "name": "张伟"}],
        "subject": "您的订单",
        "text": "谢谢！",
    }
    with client(demo, "key") as gateway:
        sent = gateway.post("/v1/messages", json=message)
    assert sent.status_code == 202, sent.text
    assert sent.json()["accepted"] == ["li.na@example.com", "zhang.wei@example.com"]
    (received,) = httpx2.get(f"{demo['sandbox']}/_sandbox/messages").json()["messages"]
    assert received["recipients"] == ["li.na@example.com", "zhang.wei@example.com"]


def test_a_tenant_without_a_relay_is_told_so(demo: dict[str, str]) -> None:
    message = {"from": {"email": "news@demo.example"}, "to": ["li.na@example.com"], "subject": "x", "text": "x"}
    with client(demo, "second") as gateway:
        assert gateway.post("/v1/messages", json=message).json()["code"] == "conflict"


def test_what_is_worth_trying_works_when_pasted(demo: dict[str, str]) -> None:
    commands = re.findall(r"^  (curl (?:[^\n\\]|\\\n)+)$", demo["text"], re.MULTILINE)
    assert len(commands) == 4
    answers = []
    for command in commands:
        done = subprocess.run(f"{command} --fail -sS", shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        answers.append(json.loads(done.stdout))
    lists, sent, campaigns, events = answers
    assert "data" in events
    assert lists["data"]
    assert sent["id"] in {each["id"] for each in campaigns["data"]}


def test_what_happens_is_told_within_seconds(demo: dict[str, str]) -> None:
    with client(demo, "key") as gateway:
        template = {"name": "n", "subjects": ["s"], "html": "<p>示例</p>"}
        campaign = {
            "template_ids": [gateway.post("/v1/templates", json=template).json()["id"]],
            "list_id": gateway.get("/v1/lists").json()["data"][0]["id"],
            "sender": {"type": "any"},
            "from_name": "Demo",
            "schedule": {"mode": "hold"},
        }
        created = gateway.post("/v1/campaigns", json=campaign).json()["id"]
        # From the beginning: it may have been told already.
        headers = {"Accept": "text/event-stream", "Last-Event-ID": event_id("demo", 0)}
        with gateway.stream("GET", "/v1/events", headers=headers, timeout=20) as stream:
            told = (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if "data: " in line)
            assert any(event["type"] == "campaign.created" and event["data"]["id"] == created for event in told)


def test_pages_of_localhost_may_use_it(demo: dict[str, str]) -> None:
    with client(demo, "key") as gateway:
        found = gateway.get("/v1/lists", headers={"Origin": "http://localhost:5173"})
    assert found.headers["access-control-allow-origin"] in {"*", "http://localhost:5173"}


def test_requests_are_shown_in_a_line_each_and_nothing_else(tmp_path: Path) -> None:
    with running("demo", "--port", "0", "--sandbox-port", "0", folder=tmp_path) as process:
        greeting = "\n".join(lines_until(process.stdout, "Ctrl-C"))
        url = re.search(r"(http\S+)/docs", greeting)
        assert url is not None
        httpx2.get(f"{url[1]}/v1/lists")
        (blank, line) = lines_until(process.stdout, "401")
    assert blank == ""
    assert re.fullmatch(r"[0-9:]{8} GET +/v1/lists 401 \d+ ms unauthenticated: no key", line)


def test_a_port_in_use_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("demo", "--port", str(port), "--sandbox-port", "0", folder=tmp_path)
    assert ended.returncode == 2
    assert f"port {port} is in use; choose another: `umail-gateway demo --port {port + 1}`" in ended.stderr
