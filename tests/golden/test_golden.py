"""Every operation, from the JSON request to the upstream request and from the upstream reply to the JSON answer."""

import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.platform import FakePlatform, describe, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, READ_KEY, WRITE_KEY, make_tenant

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*/*.json"))
KEYS = {"all": KEY, "reader": READ_KEY, "writer": WRITE_KEY}
NOW = datetime(2026, 3, 1, 4, 0, 0, tzinfo=UTC)
SHOWN_HEADERS = ("location", "link", "retry-after", "allow", "content-disposition")


def _name(path: Path) -> str:
    return str(path.relative_to(HERE).with_suffix(""))


def _replies(case: Path, reply: dict[str, Any] | list[dict[str, Any]]) -> list[Any]:
    files = sorted(case.parent.glob(f"{case.stem}.reply*"))
    assert files, f"{case} has no reply"
    each = reply if isinstance(reply, list) else [reply] * len(files)
    return [xml_reply(file.read_bytes(), **options) for file, options in zip(files, each, strict=True)]


class Stage:
    """One application for all cases; each puts its own platform behind it."""

    def __init__(self, role: str) -> None:
        self.platform = FakePlatform([])
        self.app = make_app([make_tenant(role=role)], httpx2.MockTransport(self._answer), now=lambda: NOW)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        return self.platform.answer(request)


_stage = cache(Stage)


async def _run(case: Path, golden: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    request = dict(golden["input"])
    stage = _stage(request.pop("role", "customer"))
    stage.platform = platform = FakePlatform(_replies(case, golden.get("reply", {})))
    async with client_of(stage.app, KEYS[request.pop("key", "all")]) as client:
        response = await client.request(request.pop("method"), request.pop("path"), **body_of(request))
    return [describe(each) for each in platform.requests], output_of(response)


def body_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request without its method, path and key as the client takes it."""
    files = request.pop("files", None)
    body: dict[str, Any] = {**request}
    if "form" in body:
        body["data"] = body.pop("form")
    if files:
        body["files"] = [(each["name"], (each["filename"], each["content"], each["type"])) for each in files]
    return body


def output_of(response: httpx2.Response) -> dict[str, Any]:
    """Describe an answer as golden files do."""
    output: dict[str, Any] = {"status": response.status_code}
    headers = {name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers}
    if headers:
        output["headers"] = headers
    if response.content:
        body = response.json()
        if response.headers["content-type"] == "application/problem+json":
            assert body.pop("request_id") == response.headers["x-request-id"]
        output["body"] = body
    return output


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=_name)
async def test_golden(case: Path) -> None:
    golden = json.loads(case.read_text())
    upstream, output = await _run(case, golden)
    if os.environ.get("UPDATE_GOLDEN"):
        golden = {**golden, "upstream": upstream, "output": output}
        case.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n")
    assert upstream == golden["upstream"]
    assert output == golden["output"]
