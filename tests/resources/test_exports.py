"""Exports of a list, from the platform's lines to JSON."""

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

PATHS = ["/v1/lists/78/contacts/export", "/v1/lists/78/unsubscribes/export"]


@pytest.fixture
async def list_id(client: httpx2.AsyncClient) -> int:
    created: int = (await client.post("/v1/lists", json={"name": "新闻"})).json()["id"]
    return created


class TestAuthentication:
    @pytest.mark.parametrize("path", PATHS)
    async def test_without_a_key(self, offline: httpx2.AsyncClient, path: str) -> None:
        del offline.headers["Authorization"]
        problem(await offline.get(path), 401, "unauthenticated")


class TestRoundTrip:
    async def test_contacts(self, client: httpx2.AsyncClient, list_id: int) -> None:
        contacts = [
            {"email": "li.na@example.com", "name": "李娜 & Co"},
            {"email": "nameless@example.com", "name": None},
        ]
        for contact in contacts:
            await client.post(f"/v1/lists/{list_id}/contacts", json=contact)
        assert (await client.get(f"/v1/lists/{list_id}/contacts/export")).json() == {"data": contacts}

    async def test_unsubscribes(self, client: httpx2.AsyncClient, list_id: int) -> None:
        path = f"/v1/lists/{list_id}/unsubscribes/export"
        assert (await client.get(path)).json() == {"data": []}
        await client.post(f"/v1/lists/{list_id}/contacts", json={"email": "li.na@example.com"})
        await client.post(f"/v1/lists/{list_id}/unsubscriptions", json={"emails": ["li.na@example.com"]})
        (left,) = (await client.get(path)).json()["data"]
        assert left["email"] == "li.na@example.com"
        assert left["unsubscribed_at"].endswith("+08:00")
        assert (await client.get(f"/v1/lists/{list_id}/contacts/export")).json() == {"data": []}

    @pytest.mark.parametrize("path", PATHS)
    async def test_unknown_list(self, client: httpx2.AsyncClient, path: str) -> None:
        problem(await client.get(path), 404, "not_found")

    async def test_a_list_of_hundreds(self, clients: dict[str, httpx2.AsyncClient]) -> None:
        lists = (await clients["seeded"].get("/v1/lists")).json()["data"]
        largest = max(lists, key=lambda each: int(each["contact_count"]))
        exported = (await clients["seeded"].get(f"/v1/lists/{largest['id']}/contacts/export")).json()["data"]
        assert len(exported) == largest["contact_count"] > 0


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "status", "code"),
        [
            ("truncate", 502, "upstream_error"),
            ("html_200", 502, "upstream_malformed"),
            ("html_500", 502, "upstream_error"),
        ],
    )
    async def test_half_an_export_is_no_export(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int, kind: str, status: int, code: str
    ) -> None:
        sandbox.misbehave(Fault(kind, operation="subscription-export"))
        problem(await client.get(f"/v1/lists/{list_id}/contacts/export"), status, code)


class TestLooseLines:
    async def test_are_counted_as_drift(self) -> None:
        lines = "good@example.com\tGood\nno-tab@example.com\nthree@example.com\ta\tb\n"
        platform = FakePlatform([xml_reply(lines)])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            exported = (await client.get(PATHS[0])).json()["data"]
            metrics = (await client.get("/metrics")).text
        assert [each["name"] for each in exported] == ["Good", None, "a"]
        for kind in ("missing_element", "unknown_element"):
            assert f'umail_gateway_upstream_drift_total{{kind="{kind}",operation="exports.contacts"}} 1.0' in metrics

    async def test_of_orderly_exports_there_is_no_drift(self) -> None:
        platform = FakePlatform([xml_reply("邮件地址\t用户名称\r\na@example.com\t\r\nb@example.com\tB\r\n")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            assert len((await client.get(PATHS[0])).json()["data"]) == 2
            assert "upstream_drift_total{" not in (await client.get("/metrics")).text


class TestRefusals:
    @pytest.mark.parametrize("path", [path.replace("78", "0") for path in PATHS])
    async def test_list_ids(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.get(path)) == {"list_id"}

    @pytest.mark.parametrize("path", PATHS)
    async def test_paging_is_not_offered(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.get(f"{path}?page=1")) == {"page"}
