"""Contact lists, from JSON to the platform and back."""

from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.conftest import Clients
from tests.support.problems import problem, refused_fields
from tests.support.tenants import READ_KEY

BAD_NAMES: list[Any] = ["", "   ", "a\nb", "a\x00b", "\ud800", "x" * 256, None, 5, ["x"]]


async def create(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post("/v1/lists", json={"name": "新闻订阅", **body})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


class TestAuthentication:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1/lists"), ("POST", "/v1/lists"), ("PATCH", "/v1/lists/1"), ("DELETE", "/v1/lists/1")],
    )
    async def test_without_a_key(self, offline: httpx2.AsyncClient, method: str, path: str) -> None:
        del offline.headers["Authorization"]
        problem(await offline.request(method, path), 401, "unauthenticated")

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/v1/lists"), ("PATCH", "/v1/lists/1"), ("DELETE", "/v1/lists/1")]
    )
    async def test_a_reader_may_not_write(self, offline: httpx2.AsyncClient, method: str, path: str) -> None:
        headers = {"Authorization": f"Bearer {READ_KEY}"}
        body = {"json": {"name": "x"}} if method != "DELETE" else {}
        problem(await offline.request(method, path, headers=headers, **body), 403, "insufficient_scope")  # type: ignore[arg-type]


class TestCreate:
    async def test_answers_what_was_created_and_where(self, client: httpx2.AsyncClient) -> None:
        response = await client.post("/v1/lists", json={"name": "新闻订阅 & Co", "description": "北京读者\n第二行"})
        created = response.json()
        assert response.headers["location"] == f"/v1/lists/{created['id']}"
        read = (await client.get(response.headers["location"])).json()
        assert read == created
        assert (read["name"], read["contact_count"], read["status"]) == ("新闻订阅 & Co", 0, "enabled")

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_refuses_names(self, offline: httpx2.AsyncClient, name: Any) -> None:
        body = '{"name": "\\ud800"}' if name == "\ud800" else None
        if body:
            response = await offline.post("/v1/lists", content=body, headers={"Content-Type": "application/json"})
        else:
            response = await offline.post("/v1/lists", json={"name": name})
        assert refused_fields(response) == {"/name"}

    async def test_names_every_refused_field(self, offline: httpx2.AsyncClient) -> None:
        body = {"name": "", "status": "on", "description": "\x1b[31m", "a/b~c": 1}
        assert refused_fields(await offline.post("/v1/lists", json=body)) == {
            "/name",
            "/status",
            "/description",
            "/a~1b~0c",
        }

    @pytest.mark.parametrize(
        "body", ["", "{", "nope", '{"name": "x"', '{"name": "\xff"}', '{"name": "x", "name": "y"}', '{"name": NaN}']
    )
    async def test_what_is_not_json(self, offline: httpx2.AsyncClient, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        response = await offline.post("/v1/lists", content=body.encode("latin-1"), headers=headers)
        problem(response, 400, "malformed_request")

    async def test_json_is_utf8(self, offline: httpx2.AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await offline.post("/v1/lists", content='{"name": "x"}'.encode("utf-16"), headers=headers)
        problem(response, 400, "malformed_request")


class TestEdit:
    async def test_sends_only_the_fields_given(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        created = await create(client, description="vorher")
        response = await client.patch(f"/v1/lists/{created['id']}", json={"status": "disabled"})
        assert response.json() == {**created, "status": "disabled"}
        edit = next(call for call in sandbox.calls if call.operation == "maillist-edit")
        assert edit.form == {"status": "disabled"}

    async def test_null_removes_the_description(self, client: httpx2.AsyncClient) -> None:
        created = await create(client, description="vorher")
        response = await client.patch(f"/v1/lists/{created['id']}", json={"description": None})
        assert response.json()["description"] is None

    @pytest.mark.parametrize(("body", "field"), [({}, ""), ({"name": None}, "/name"), ({"id": 5}, "/id")])
    async def test_refuses(self, offline: httpx2.AsyncClient, body: dict[str, Any], field: str) -> None:
        assert refused_fields(await offline.patch("/v1/lists/1", json=body)) == {field}

    async def test_unknown_list(self, client: httpx2.AsyncClient) -> None:
        response = await client.patch("/v1/lists/4711", json={"name": "x"})
        assert response.status_code in {404, 422}


class TestDelete:
    async def test_is_gone(self, client: httpx2.AsyncClient) -> None:
        created = await create(client)
        response = await client.delete(f"/v1/lists/{created['id']}")
        assert (response.status_code, response.content) == (204, b"")
        problem(await client.get(f"/v1/lists/{created['id']}"), 404, "not_found")


class TestIsolation:
    async def test_tenants_do_not_see_each_other(self, clients: Clients) -> None:
        created = await create(clients["acme"])
        assert (await clients["rival"].get("/v1/lists")).json() == {"data": []}
        problem(await clients["rival"].get(f"/v1/lists/{created['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    "list_id", ["0", "-1", "abc", "1.5", "99999999999999999999", "1e3", "1_0", "+1", "01", "1.0", "%201", "١"]
)
async def test_refused_ids(offline: httpx2.AsyncClient, list_id: str) -> None:
    assert refused_fields(await offline.get(f"/v1/lists/{list_id}")) == {"list_id"}
