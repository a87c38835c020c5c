"""Whatever a client writes: one request is one line of JSON in the logs, and nothing breaks out upstream."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.telemetry.logs import configure_logging
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import make_app
from tests.support.tenants import KEY, make_tenant

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VISIBLE = re.compile(r"[\x20-\x7e]*")

values = st.binary(max_size=60) | st.sampled_from(
    [
        b"a\r\nX-Evil: 1",
        b"a\nb",
        b"\x1b[31mred",
        b"\x00",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b'"}\n{"event":"request"}',
        b"\x7f",
    ]
)
HEADERS = [b"x-request-id", b"traceparent", b"user-agent", b"x-forwarded-for", b"accept", b"idempotency-key", b"prefer"]


class Harness:
    """An application whose platform, log and audit log are looked at."""

    def __init__(self, folder: Path) -> None:
        self.platform = FakePlatform([xml_reply("<maillist/>")])
        self.audit = folder / "audit"
        self.log = StringIO()
        self.app = make_app(
            [make_tenant()], self.platform.transport, audit_log=str(self.audit), trusted_proxies="127.0.0.0/8"
        )

    async def request(self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> list[Any]:
        """Make a request past any client, which would refuse to write it; return the messages of the answer."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query,
            "headers": [(b"x-api-key", KEY.encode()), (b"content-type", b"application/json"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("gateway", 80),
            "scheme": "http",
            "http_version": "1.1",
        }
        await self.app(scope, receive, send)
        return sent


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    configure_logging("INFO", harness.log)
    yield harness
    configure_logging("DEBUG", StringIO())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=4),
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    tail=st.text(max_size=30) | st.sampled_from(["\r\nX: 1", "\u2028", "\x1b[2J", "\ud800"]),
    query=values,
)
async def test_one_request_is_one_line(
    harness: Harness, headers: list[tuple[bytes, bytes]], method: str, tail: str, query: bytes
) -> None:
    harness.log.truncate(harness.log.seek(0))
    harness.platform.requests.clear()
    before = len(harness.audit.read_bytes().split(b"\n")) if harness.audit.exists() else 1
    start, *_ = await harness.request(method, f"/v1/lists{tail}", query, headers)
    lines = harness.log.getvalue().split("\n")
    assert lines.pop() == ""
    requests = [line for line in lines if json.loads(line)["event"] == "request"]
    assert len(requests) == 1
    assert not any(_CONTROL.search(line) for line in lines)
    for entry in harness.audit.read_bytes().split(b"\n")[before - 1 : -1]:
        assert json.loads(entry)["event"] == "audit"
        assert _VISIBLE.fullmatch(entry.decode("ascii"))
    for name, value in start["headers"]:
        assert not re.search(rb"[\x00-\x1f\x7f]", name + value), (name, value)
    for sent in harness.platform.requests:
        assert_clean(sent)


async def test_known_ids_are_passed_on_and_invented_ones_are_not(harness: Harness) -> None:
    async with harness.app.router.lifespan_context(harness.app):
        for given_id in (b"good-1", b"bad\r\nX-Evil: 1", b"bad\x00", b"\xe2\x80\xa8"):
            harness.platform.requests.clear()
            await harness.request("GET", "/v1/lists", b"", [(b"x-request-id", given_id), (b"user-agent", b"a\r\nB: c")])
            (sent,) = harness.platform.requests
            assert_clean(sent)
            assert (sent.headers["x-request-id"] == given_id.decode("latin-1")) is (given_id == b"good-1")


def assert_clean(sent: httpx2.Request) -> None:
    """Assert that a request to the platform holds visible characters only outside of its body."""
    for name, value in sent.headers.raw:
        assert re.fullmatch(rb"[\x20-\x7e]*", name + value), (name, value)
    assert re.fullmatch(rb"[\x21-\x7e]*", sent.url.raw_path)
