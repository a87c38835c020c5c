"""Mailboxes, from JSON to the platform and back."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.managers import Managed, managed
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, WRITE_KEY, make_tenant

DOMAIN = "news.example.com"
ADDRESS = f"editor@{DOMAIN}"
BODY = {"address": ADDRESS, "password": "p&s=w %/ö'"}
OWN: list[tuple[str, str, Any]] = [
    ("GET", f"/v1/domains/{DOMAIN}/mailboxes", None),
    ("POST", "/v1/mailboxes", BODY),
    ("DELETE", f"/v1/mailboxes/{ADDRESS}", None),
    ("PUT", f"/v1/mailboxes/{ADDRESS}/password", {"password": "x"}),
]
CUSTOMERS = [(method, path.replace("/v1/", "/v1/customers/2369/"), body) for method, path, body in OWN]
BAD_PASSWORDS: list[Any] = ["", "x" * 129, "a\nb", "a\x00b", "a\u2028b", None, 5, ["x"], {"value": "x"}]


@pytest.fixture
async def domain(client: httpx2.AsyncClient) -> str:
    await client.post("/v1/domains", json={"domain": DOMAIN})
    return DOMAIN


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


async def addresses(client: httpx2.AsyncClient, query: str = "") -> list[str]:
    response = await client.get(f"/v1/domains/{DOMAIN}/mailboxes{query}")
    return [each["address"] for each in response.json()["data"]]


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


class TestList:
    async def test_in_pages(self, client: httpx2.AsyncClient, domain: str) -> None:
        for number in range(3):
            await client.post("/v1/mailboxes", json={"address": f"box{number}@{domain}", "password": "x"})
        first = await client.get(f"/v1/domains/{domain}/mailboxes?page_size=2")
        assert [each["name"] for each in first.json()["data"]] == ["box0", "box1"]
        assert first.json()["pagination"] == {"page": 1, "page_size": 2, "total": None, "has_more": True}
        second = (await client.get(f"/v1/domains/{domain}/mailboxes?page_size=2&page=2")).json()
        assert [each["address"] for each in second["data"]] == [f"box2@{domain}"]
        assert second["pagination"]["has_more"] is False

    async def test_of_another_domain(self, client: httpx2.AsyncClient) -> None:
        problem(await client.get("/v1/domains/other.example.com/mailboxes"), 404, "not_found")

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/v1/domains/localhost/mailboxes", {"domain"}),
            (f"/v1/domains/{DOMAIN}/mailboxes?page=0&page_size=501", {"page", "page_size"}),
            (f"/v1/domains/{DOMAIN}/mailboxes?q=x", {"q"}),
        ],
    )
    async def test_refusals(self, offline: httpx2.AsyncClient, path: str, names: set[str]) -> None:
        assert refused_fields(await offline.get(path)) == names


class TestAdd:
    async def test_never_answers_the_password(self, client: httpx2.AsyncClient, sandbox: Sandbox, domain: str) -> None:
        response = await client.post("/v1/mailboxes", json=BODY)
        assert (response.status_code, response.json()) == (201, {"address": ADDRESS})
        assert response.headers["location"] == f"/v1/mailboxes/{ADDRESS}"
        assert sandbox.calls[-1].query == {"do": "mailbox-add", "mailbox": ADDRESS, "pwd": BODY["password"]}
        listed = (await client.get(f"/v1/domains/{domain}/mailboxes")).json()["data"]
        assert [(each["domain"], each["name"], each["address"]) for each in listed] == [(DOMAIN, "editor", ADDRESS)]

    async def test_twice(self, client: httpx2.AsyncClient, domain: str) -> None:
        await client.post("/v1/mailboxes", json=BODY)
        problem(await client.post("/v1/mailboxes", json=BODY), 409, "conflict")

    async def test_to_an_unknown_domain(self, client: httpx2.AsyncClient) -> None:
        problem(await client.post("/v1/mailboxes", json=BODY), 404, "not_found")

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({"address": "a/b@news.example.com", "password": "p"}, {"/address"}),
            ({}, {"/address", "/password"}),
            ({**BODY, "address": "editor"}, {"/address"}),
            ({**BODY, "address": f"a@{DOMAIN},b@{DOMAIN}"}, {"/address"}),
            ({**BODY, "quota": 5}, {"/quota"}),
            *(({**BODY, "password": password}, {"/password"}) for password in BAD_PASSWORDS),
        ],
    )
    async def test_refusals(self, offline: httpx2.AsyncClient, body: Any, pointers: set[str]) -> None:
        assert refused_fields(await offline.post("/v1/mailboxes", json=body)) == pointers

    async def test_a_lone_surrogate_is_no_password(self, offline: httpx2.AsyncClient) -> None:
        body = f'{{"address": "{ADDRESS}", "password": "\\ud800"}}'
        response = await offline.post("/v1/mailboxes", content=body, headers={"Content-Type": "application/json"})
        assert refused_fields(response) == {"/password"}


class TestSetPassword:
    @pytest.mark.parametrize("password", ["x", " spaced ", "a+b&c=d#e?f%41", "密码" * 64, "\"'<>\\"])
    async def test_arrives_as_it_is(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, domain: str, password: str
    ) -> None:
        await client.post("/v1/mailboxes", json={"address": f"editor@{domain}", "password": "old"})
        response = await client.put(f"/v1/mailboxes/{ADDRESS}/password", json={"password": password})
        assert (response.status_code, response.content) == (204, b"")
        assert sandbox.state("acme").mailboxes[ADDRESS].password == password

    async def test_of_an_unknown_mailbox(self, client: httpx2.AsyncClient, domain: str) -> None:
        response = await client.put(f"/v1/mailboxes/nobody@{domain}/password", json={"password": "x"})
        problem(response, 404, "not_found")

    @pytest.mark.parametrize("password", BAD_PASSWORDS)
    async def test_refusals(self, offline: httpx2.AsyncClient, password: Any) -> None:
        response = await offline.put(f"/v1/mailboxes/{ADDRESS}/password", json={"password": password})
        assert refused_fields(response) == {"/password"}

    async def test_refuses_what_is_no_address(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.put("/v1/mailboxes/editor/password", json={"password": "x"})
        assert refused_fields(response) == {"address"}


class TestDelete:
    async def test_once(self, client: httpx2.AsyncClient, domain: str) -> None:
        for name in ("o'neil+x", "stays"):
            await client.post("/v1/mailboxes", json={"address": f"{name}@{domain}", "password": "x"})
        path = f"/v1/mailboxes/o'neil%2Bx@{domain}"
        assert (await client.delete(path)).status_code == 204
        assert await addresses(client) == [f"stays@{domain}"]
        problem(await client.delete(path), 404, "not_found")

    @pytest.mark.parametrize("address", ["editor", f"a@{DOMAIN},b@{DOMAIN}", "@"])
    async def test_refusals(self, offline: httpx2.AsyncClient, address: str) -> None:
        assert refused_fields(await offline.delete(f"/v1/mailboxes/{address}")) == {"address"}


class TestCustomers:
    async def test_round_trip(self, both: Managed) -> None:
        base = f"/v1/customers/{both.customer_id}"
        await both.manager.post(f"{base}/domains", json={"domain": DOMAIN})
        response = await both.manager.post(f"{base}/mailboxes", json=BODY)
        assert (response.status_code, response.json()) == (201, {"address": ADDRESS})
        assert response.headers["location"] == f"{base}/mailboxes/{ADDRESS}"
        sent = both.sandbox.calls[-1].query
        assert (sent["customer_id"], sent["user_type"]) == (str(both.customer_id), "manager")

        listed = (await both.manager.get(f"{base}/domains/{DOMAIN}/mailboxes")).json()["data"]
        assert [each["address"] for each in listed] == await addresses(both.customer) == [ADDRESS]
        response = await both.manager.put(f"{base}/mailboxes/{ADDRESS}/password", json={"password": "new"})
        assert response.status_code == 204
        assert both.sandbox.state("shop").mailboxes[ADDRESS].password == "new"
        assert (await both.manager.delete(f"{base}/mailboxes/{ADDRESS}")).status_code == 204
        assert await addresses(both.customer) == []

    @pytest.mark.parametrize(("method", "path", "body"), CUSTOMERS)
    async def test_refusals(self, offline_manager: httpx2.AsyncClient, method: str, path: str, body: Any) -> None:
        response = await offline_manager.request(method, path.replace("2369", "x"), json=body)
        assert refused_fields(response) == {"customer_id"}
