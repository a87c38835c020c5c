"""HTTP itself: paths, methods, media types, sizes, ids, and the log line of every request."""

import json
import re
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx2
import pytest

from app.api.negotiation import accepts, is_json
from app.telemetry.logs import configure_logging
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant


class TestPathsAndMethods:
    @pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/lists/", "/v1/lists/1/2/3"])
    async def test_unknown_path(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert (await offline.get(path)).json()["code"] == "not_found"

    async def test_unknown_method_names_the_known_ones(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.put("/v1/lists")
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "GET, HEAD, POST"
        # A name is not taken for the id of another path.
        assert (await offline.put("/v1/campaigns/preflight")).headers["allow"] == "POST"

    async def test_unknown_parameters_are_refused_by_naming_the_known_ones(self, offline: httpx2.AsyncClient) -> None:
        (error,) = problem(await offline.get("/v1/campaigns?id=1"), 422, "validation_failed")["errors"]
        assert error["parameter"] == "id"
        assert "which takes: " in error["message"]
        assert "date" in error["message"]
        flood = await offline.get("/v1/campaigns?" + "&".join(f"x{number}" for number in range(2000)))
        assert len(refused_fields(flood)) == 20


class TestMediaTypes:
    @pytest.mark.parametrize(
        "content_type",
        [None, "text/plain", "application/xml", "application/json; charset=gbk", "multipart/form-data", ";;"],
    )
    async def test_bodies_are_json(self, offline: httpx2.AsyncClient, content_type: str | None) -> None:
        headers = {"Content-Type": content_type} if content_type else {}
        response = await offline.post("/v1/lists", content=b'{"name": "x"}', headers=headers)
        problem(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "application/json;q=0", "*/*;q=0"])
    async def test_answers_are_json(self, offline: httpx2.AsyncClient, accept: str) -> None:
        problem(await offline.get("/v1/lists", headers={"Accept": accept}), 406, "not_acceptable")

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("", True),
            ("*/*", True),
            ("application/*;q=0.1", True),
            ("text/html, application/json", True),
            ("text/*", False),
            ("application/json;q=0, */*", False),
            ("application/*;q=0, application/json", True),
            ("application/json;q=nonsense", False),
            ("garbage", False),
        ],
    )
    def test_accept(self, accept: str, expected: bool) -> None:
        assert accepts(accept, "application/json") is expected

    @pytest.mark.parametrize(
        ("content_type", "expected"),
        [
            ("application/json", True),
            ("Application/JSON; charset=UTF-8", True),
            ("application/merge-patch+json", True),
            ("application/json; charset=utf-16", False),
            ("text/json", False),
            ("", False),
        ],
    )
    def test_json_types(self, content_type: str, expected: bool) -> None:
        assert is_json(content_type) is expected


class TestSizes:
    @pytest.fixture
    async def small(self) -> AsyncIterator[httpx2.AsyncClient]:
        async with client_of(make_app([make_tenant()], max_body_bytes=2000)) as client:
            yield client

    async def test_announced(self, small: httpx2.AsyncClient) -> None:
        response = await small.post("/v1/lists", json={"name": "x" * 3000})
        problem(response, 413, "payload_too_large")

    async def test_streamed(self, small: httpx2.AsyncClient) -> None:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 100

        headers = {"Content-Type": "application/json"}
        problem(await small.post("/v1/lists", content=body(), headers=headers), 413, "payload_too_large")

    @pytest.mark.parametrize(
        "body", ["[" * 1500, '{"name": ' + "9" * 1800 + "}", '{"name": "x", "name": NaN}', '{"name": 1e999}']
    )
    async def test_hostile_json(self, small: httpx2.AsyncClient, body: str) -> None:
        response = await small.post("/v1/lists", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code in {400, 422}
        problem(response, response.status_code, response.json()["code"])


class TestRequestId:
    @pytest.mark.parametrize("given", ["order-66", "a" * 128, "a.b_c:d/e+f=g"])
    async def test_a_sane_one_is_kept(self, offline: httpx2.AsyncClient, given: str) -> None:
        response = await offline.get("/healthz", headers={"X-Request-ID": given})
        assert response.headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["", "a b", "a\tb", "<script>", "a" * 129, "-x", "é"])
    async def test_any_other_is_replaced(self, offline: httpx2.AsyncClient, given: str) -> None:
        response = await offline.get("/healthz", headers=[(b"X-Request-ID", given.encode())])
        assert len(response.headers["x-request-id"]) == 32

    async def test_every_request_has_its_own(self, offline: httpx2.AsyncClient) -> None:
        assert len({(await offline.get("/healthz")).headers["x-request-id"] for _ in range(10)}) == 10


class TestTraceparent:
    async def test_a_sane_one_comes_back(self, offline: httpx2.AsyncClient) -> None:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        assert (await offline.get("/healthz", headers={"traceparent": trace})).headers["traceparent"] == trace

    @pytest.mark.parametrize(
        "given", ["", "x", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + "1" * 32 + "-" + "1" * 16 + "-00"]
    )
    async def test_any_other_is_replaced(self, offline: httpx2.AsyncClient, given: str) -> None:
        made = (await offline.get("/healthz", headers={"traceparent": given})).headers["traceparent"]
        assert made != given
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", made)


class TestFaultsOfOurOwn:
    async def test_are_a_problem_document_that_tells_nothing(self) -> None:
        platform = FakePlatform([RuntimeError("internal secret")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            response = await client.get("/v1/lists")
        problem(response, 500, "internal_error")
        assert "secret" not in response.text


class TestUnknownParameters:
    async def test_are_refused_by_name(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.get("/v1/lists?page=1&x=2")) == {"page", "x"}

    @pytest.mark.parametrize("query", ["q=%ff", "q=a%C3", "%ff=1"])
    async def test_what_is_not_utf8(self, offline: httpx2.AsyncClient, query: str) -> None:
        problem(await offline.get(f"/v1/contacts?{query}"), 400, "malformed_request")

    @pytest.mark.parametrize("value", ["1", "yes", "TRUE", "on", ""])
    async def test_flags_are_true_or_false(self, offline: httpx2.AsyncClient, value: str) -> None:
        assert refused_fields(await offline.delete(f"/v1/lists/1/contacts?confirm={value}")) == {"confirm"}

    async def test_on_writes_too(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.post("/v1/lists?dry_run=1", json={"name": "x"})) == {"dry_run"}


class TestAccessLog:
    @pytest.fixture
    def stream(self) -> Any:
        stream = StringIO()
        configure_logging("INFO", stream)
        yield stream
        configure_logging("DEBUG", StringIO())

    async def test_one_line_a_request_with_everything_but_secrets(self, stream: StringIO) -> None:
        platform = FakePlatform([xml_reply("<maillist/>")])
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        async with client_of(make_app([make_tenant(password="hunter2")], platform.transport)) as client:
            await client.get("/v1/lists", headers={"X-Request-ID": "order-66", "traceparent": trace})
            await client.get("/v1/contacts?q=li.na@example.com%00")
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        line = next(each for each in lines if each.get("request_id") == "order-66")
        assert line["duration_ms"] >= line["upstream"][0].pop("duration_ms") >= 0
        assert line["upstream"] == [{"operation": "lists.list", "outcome": "ok", "status": 200, "attempt": 1}]
        shown = {
            name: line[name]
            for name in (
                "http.request.method",
                "http.route",
                "http.response.status_code",
                "tenant",
                "key",
                "traceparent",
                "event",
            )
        }
        assert shown == {
            "http.request.method": "GET",
            "http.route": "/v1/lists",
            "http.response.status_code": 200,
            "tenant": "acme",
            "key": "all",
            "traceparent": trace,
            "event": "request",
        }
        for secret in ("hunter2", KEY, "li.na"):
            assert secret not in stream.getvalue()

    async def test_control_characters_cannot_forge_a_line(self, stream: StringIO) -> None:
        platform = FakePlatform([xml_reply("<maillist><item><id>1</id><e\u0085vil/></item></maillist>")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            await client.get("/v1/lists")
        for line in stream.getvalue().splitlines():
            json.loads(line)

    async def test_a_traceback_carries_no_local_variables(self, stream: StringIO) -> None:
        platform = FakePlatform([RuntimeError("boom")])
        async with client_of(make_app([make_tenant(password="hunter2")], platform.transport)) as client:
            await client.get("/v1/lists")
        assert "boom" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


async def test_readiness_is_false_before_start_and_after_stop() -> None:
    app = make_app([])
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        assert (await client.get("/readyz")).status_code == 503
        async with app.router.lifespan_context(app):
            assert (await client.get("/readyz")).json()["status"] == "ready"
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["status"]) == (503, "not_ready")
