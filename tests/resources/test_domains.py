"""Sending domains, from JSON to the platform and back."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.managers import Managed, managed
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, WRITE_KEY, make_tenant

NAME = "news.example.com"
OWN: list[tuple[str, str, Any]] = [
    ("GET", "/v1/domains", None),
    ("POST", "/v1/domains", {"domain": NAME}),
    ("POST", "/v1/domains/verify", {"domains": [NAME]}),
    ("DELETE", f"/v1/domains/{NAME}", None),
]
CUSTOMERS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/customers/2369/domains", None),
    ("POST", "/v1/customers/2369/domains", {"domain": NAME}),
    ("DELETE", f"/v1/customers/2369/domains/{NAME}", None),
]
BAD_NAMES: list[Any] = [
    "", "localhost", "a", ".com", "a..com", "-a.example", "a-.example", "a_b.example", "1.2.3.4", "[1.2.3.4]",
    "a.example,b.example", "a.example;", "a b.example", "a\n.example", "a@b.example", "a.example/x", "a.example:25",
    "例子。example", "ｅ.example", "a\u00adb.example", "x" * 64 + ".example", "a." * 130 + "example", None, 5, [NAME],
]  # fmt: skip


@pytest.fixture
async def both() -> AsyncIterator[Managed]:
    async with managed() as running:
        yield running


@pytest.fixture
async def offline_manager() -> AsyncIterator[httpx2.AsyncClient]:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"{request.method} {request.url.path} reached the platform")

    async with client_of(make_app([make_tenant(role="manager")], httpx2.MockTransport(refuse))) as made:
        yield made


class TestAuthentication:
    @pytest.mark.parametrize(("method", "path", "body"), OWN + CUSTOMERS)
    async def test_without_a_key(self, offline: httpx2.AsyncClient, method: str, path: str, body: Any) -> None:
        del offline.headers["Authorization"]
        problem(await offline.request(method, path, json=body), 401, "unauthenticated")

    @pytest.mark.parametrize(("method", "path", "body"), OWN[1:])
    async def test_a_reader_may_not_write(self, offline: httpx2.AsyncClient, method: str, path: str, body: Any) -> None:
        response = await offline.request(method, path, json=body, headers={"Authorization": f"Bearer {READ_KEY}"})
        problem(response, 403, "insufficient_scope")

    @pytest.mark.parametrize(("method", "path", "body"), CUSTOMERS)
    async def test_acting_for_customers_takes_a_manager(
        self, offline: httpx2.AsyncClient, method: str, path: str, body: Any
    ) -> None:
        problem(await offline.request(method, path, json=body), 403, "insufficient_scope")

    @pytest.mark.parametrize(("method", "path", "body"), CUSTOMERS)
    async def test_acting_for_customers_takes_the_scope(
        self, offline_manager: httpx2.AsyncClient, method: str, path: str, body: Any
    ) -> None:
        headers = {"Authorization": f"Bearer {WRITE_KEY}"}
        problem(await offline_manager.request(method, path, json=body, headers=headers), 403, "insufficient_scope")


class TestAdd:
    @pytest.mark.parametrize(("name", "verified"), [(NAME, False), ("verified.example.com", True)])
    async def test_answers_what_was_added(self, client: httpx2.AsyncClient, name: str, verified: bool) -> None:
        response = await client.post("/v1/domains", json={"domain": name.upper()})
        added = response.json()
        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/domains/{name}"
        assert added == {"id": added["id"], "domain": name, "verified": verified}
        listed = (await client.get("/v1/domains")).json()["data"]
        assert [(each["domain"], each["is_system"]) for each in listed][1:] == [(name, False)]
        assert (listed[0]["customer_id"], listed[0]["is_system"]) == (None, True)

    async def test_twice(self, client: httpx2.AsyncClient) -> None:
        await client.post("/v1/domains", json={"domain": NAME})
        problem(await client.post("/v1/domains", json={"domain": NAME}), 409, "conflict")

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_refuses_names(self, offline: httpx2.AsyncClient, name: Any) -> None:
        assert refused_fields(await offline.post("/v1/domains", json={"domain": name})) == {"/domain"}

    @pytest.mark.parametrize(
        ("given", "sent"),
        [("München.Example", "münchen.example"), ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
         (" a.example ", "a.example"), ("例子.中国", "例子.中国"), ("1and1.example", "1and1.example")],
    )  # fmt: skip
    async def test_passes_names_on_as_given(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, given: str, sent: str
    ) -> None:
        await client.post("/v1/domains", json={"domain": given})
        assert sandbox.calls[-1].query["domain"] == sent


class TestVerify:
    async def test_tells_what_is_registered_and_what_is_verified(self, client: httpx2.AsyncClient) -> None:
        added = {
            name: (await client.post("/v1/domains", json={"domain": name})).json()["id"]
            for name in (NAME, "verified.example.com")
        }
        names = [NAME, "verified.example.com", "verified.example.org", "other.example.org"]
        response = await client.post("/v1/domains/verify", json={"domains": names})
        found = response.json()["data"]
        assert [(each["domain"], each["registered"], each["verified"], each["status_code"]) for each in found] == [
            (NAME, True, False, 2),
            ("verified.example.com", True, True, 3),
            ("verified.example.org", False, True, 1),
            ("other.example.org", False, False, 0),
        ]
        assert [each["domain_id"] for each in found] == [*added.values(), None, None]
        assert found[1]["message"] == "添加成功并验证通过"

    @pytest.mark.parametrize(
        ("domains", "pointers"),
        [
            ([], {"/domains"}),
            ([NAME] * 101, {"/domains"}),
            (NAME, {"/domains"}),
            ([NAME, "a,b", "x"], {"/domains/1", "/domains/2"}),
        ],
    )
    async def test_refusals(self, offline: httpx2.AsyncClient, domains: Any, pointers: set[str]) -> None:
        assert refused_fields(await offline.post("/v1/domains/verify", json={"domains": domains})) == pointers


class TestDelete:
    async def test_once(self, client: httpx2.AsyncClient) -> None:
        await client.post("/v1/domains", json={"domain": NAME})
        assert (await client.delete(f"/v1/domains/{NAME.upper()}")).status_code == 204
        problem(await client.delete(f"/v1/domains/{NAME}"), 404, "not_found")

    async def test_a_verified_domain_stays(self, client: httpx2.AsyncClient) -> None:
        await client.post("/v1/domains", json={"domain": "verified.example.com"})
        body = problem(await client.delete("/v1/domains/verified.example.com"), 409, "conflict")
        assert body["upstream"]["message"] == "已经验证通过的域名不能删除"

    @pytest.mark.parametrize("name", ["localhost", "a.example,b.example"])
    async def test_refuses_names(self, offline: httpx2.AsyncClient, name: str) -> None:
        assert refused_fields(await offline.delete(f"/v1/domains/{name}")) == {"domain"}


class TestCustomers:
    async def test_round_trip(self, both: Managed) -> None:
        path = f"/v1/customers/{both.customer_id}/domains"
        response = await both.manager.post(path, json={"domain": NAME})
        added = response.json()
        assert (response.status_code, response.headers["location"]) == (201, f"{path}/{NAME}")
        assert added == {"id": added["id"], "domain": NAME, "verified": None}

        listed = (await both.manager.get(path)).json()["data"]
        assert listed == (await both.customer.get("/v1/domains")).json()["data"]
        assert listed[1] == {"customer_id": both.customer_id, "domain": NAME, "is_system": False}
        assert len((await both.manager.get("/v1/domains")).json()["data"]) == 1

        assert (await both.manager.delete(f"{path}/{NAME}")).status_code == 204
        assert len((await both.customer.get("/v1/domains")).json()["data"]) == 1

    async def test_a_verified_domain_stays(self, both: Managed) -> None:
        path = f"/v1/customers/{both.customer_id}/domains"
        await both.manager.post(path, json={"domain": "verified.example.com"})
        problem(await both.manager.delete(f"{path}/verified.example.com"), 409, "conflict")

    @pytest.mark.parametrize(("method", "path", "body"), CUSTOMERS)
    async def test_unknown_customer(self, both: Managed, method: str, path: str, body: Any) -> None:
        response = await both.manager.request(method, path.replace("2369", "99999"), json=body)
        problem(response, 404, "not_found")

    async def test_refusals(self, offline_manager: httpx2.AsyncClient) -> None:
        for method, path, body in CUSTOMERS:
            response = await offline_manager.request(method, path.replace("2369", "0"), json=body)
            assert refused_fields(response) == {"customer_id"}
        response = await offline_manager.post(CUSTOMERS[1][1], json={"domain": "x"})
        assert refused_fields(response) == {"/domain"}
        assert refused_fields(await offline_manager.delete("/v1/customers/2369/domains/x")) == {"domain"}
