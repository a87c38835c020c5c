"""Subscriptions, from JSON to the platform and back."""

from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.platform import FakePlatform, describe, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, make_tenant

SUBSCRIBE, UNSUBSCRIBE = "/v1/lists/78/subscriptions", "/v1/lists/78/unsubscriptions"
CALLS: list[tuple[str, dict[str, Any]]] = [
    (SUBSCRIBE, {"subscribers": [{"email": "a@example.com"}]}),
    (UNSUBSCRIBE, {"emails": ["a@example.com"]}),
]


@pytest.fixture
async def list_id(client: httpx2.AsyncClient) -> int:
    created: int = (await client.post("/v1/lists", json={"name": "新闻"})).json()["id"]
    return created


async def names(client: httpx2.AsyncClient, list_id: int) -> dict[str, str]:
    exported = (await client.get(f"/v1/lists/{list_id}/contacts/export")).json()["data"]
    return {each["email"]: each["name"] for each in exported}


class TestAuthentication:
    @pytest.mark.parametrize(("path", "body"), CALLS)
    async def test_without_a_key(self, offline: httpx2.AsyncClient, path: str, body: Any) -> None:
        del offline.headers["Authorization"]
        problem(await offline.post(path, json=body), 401, "unauthenticated")

    @pytest.mark.parametrize(("path", "body"), CALLS)
    async def test_a_reader_may_not(self, offline: httpx2.AsyncClient, path: str, body: Any) -> None:
        response = await offline.post(path, json=body, headers={"Authorization": f"Bearer {READ_KEY}"})
        problem(response, 403, "insufficient_scope")


class TestSubscribe:
    @pytest.mark.parametrize("count", [1, 2, 500])
    async def test_any_number(self, client: httpx2.AsyncClient, list_id: int, count: int) -> None:
        subscribers = [
            {"email": f"reader{number}@example.com", "name": f"读者 {number} & co"} for number in range(count)
        ]
        response = await client.post(f"/v1/lists/{list_id}/subscriptions", json={"subscribers": subscribers})
        assert response.status_code == 200, response.text
        assert response.json()["accepted"] == count
        assert response.json()["upstream_message"].startswith(f"成功订阅{count}个地址")
        assert await names(client, list_id) == {each["email"]: each["name"] for each in subscribers}

    @pytest.mark.parametrize("others", [[], [{"email": "other@example.com", "name": "Other"}]])
    async def test_without_a_name_the_platform_takes_the_local_part(
        self, client: httpx2.AsyncClient, list_id: int, others: list[Any]
    ) -> None:
        subscribers = [{"email": "li.na@example.com"}, *others]
        await client.post(f"/v1/lists/{list_id}/subscriptions", json={"subscribers": subscribers})
        assert (await names(client, list_id))["li.na@example.com"] == "li.na"

    async def test_brings_back_who_had_left(self, client: httpx2.AsyncClient, list_id: int) -> None:
        body = {"subscribers": [{"email": "li.na@example.com", "name": "李娜"}]}
        for _ in range(2):
            await client.post(f"/v1/lists/{list_id}/subscriptions", json=body)
        await client.post(f"/v1/lists/{list_id}/unsubscriptions", json={"emails": ["li.na@example.com"]})
        assert await names(client, list_id) == {}
        await client.post(f"/v1/lists/{list_id}/subscriptions", json=body)
        assert await names(client, list_id) == {"li.na@example.com": "李娜"}
        assert (await client.get(f"/v1/lists/{list_id}/unsubscribes/export")).json() == {"data": []}

    async def test_unknown_list(self, client: httpx2.AsyncClient) -> None:
        problem(await client.post("/v1/lists/4711/subscriptions", json=CALLS[0][1]), 404, "not_found")

    @pytest.mark.parametrize(
        ("subscribers", "pointers"),
        [
            ([], {"/subscribers"}),
            ([{"email": "a@example.com"}] * 501, {"/subscribers"}),
            (None, {"/subscribers"}),
            (["a@example.com"], {"/subscribers/0"}),
            ([{"email": "a@example.com"}, {"name": "x"}], {"/subscribers/1/email"}),
            ([{"email": "a@example.com", "phone": "1"}], {"/subscribers/0/phone"}),
            ([{"email": "a@example.com,b@example.com"}], {"/subscribers/0/email"}),
            ([{"email": "a@example.com;b"}], {"/subscribers/0/email"}),
            ([{"email": "a@example.com\tb"}], {"/subscribers/0/email"}),
            *(
                ([{"email": "a@example.com"}, {"email": "b@example.com", "name": name}], {"/subscribers/1/name"})
                for name in ("a,b", "a，b", "a;b", "a；b", "a\tb", "a\nb", "a\rb", "a\u2028b", "x" * 256, 5)
            ),
            ([{"email": "a@example.com", "name": "a,b"}], {"/subscribers/0/name"}),
        ],
    )
    async def test_refusals(self, offline: httpx2.AsyncClient, subscribers: Any, pointers: set[str]) -> None:
        assert refused_fields(await offline.post(SUBSCRIBE, json={"subscribers": subscribers})) == pointers


class TestUnsubscribe:
    @pytest.mark.parametrize("count", [1, 2, 500])
    async def test_any_number(self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int, count: int) -> None:
        emails = [f"reader{number}@example.com" for number in range(count)]
        subscribers = [{"email": email} for email in [*emails[:499], "stays@example.com"]]
        await client.post(f"/v1/lists/{list_id}/subscriptions", json={"subscribers": subscribers})
        response = await client.post(f"/v1/lists/{list_id}/unsubscriptions", json={"emails": emails})
        assert response.status_code == 200, response.text
        assert response.json()["accepted"] == count
        assert set(sandbox.calls[-1].query) == {"do", "list_id"}
        assert list(await names(client, list_id)) == ["stays@example.com"]

    async def test_of_whatever_the_platform_may_hold(self) -> None:
        held = ["a..b@docomo.ne.jp", "a@my_company.example.com", "张三@example.com", "a@intranet.local"]
        platform = FakePlatform([xml_reply("<result><status>success</status><data>ok</data></result>")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            response = await client.post(UNSUBSCRIBE, json={"emails": [*held, "a@example.com,b@example.com"]})
        assert response.json() == {"accepted": 4, "refused": ["a@example.com,b@example.com"], "upstream_message": "ok"}
        assert describe(platform.requests[0])["form"] == {"address": "\n".join(held)}

    async def test_of_nobody_on_the_list(self, client: httpx2.AsyncClient, list_id: int) -> None:
        body = {"emails": ["nobody@example.com"]}
        problem(await client.post(f"/v1/lists/{list_id}/unsubscriptions", json=body), 404, "not_found")

    @pytest.mark.parametrize(
        ("emails", "pointers"),
        [
            ([], {"/emails"}),
            (["a@example.com"] * 501, {"/emails"}),
            ("a@example.com", {"/emails"}),
            (["a@example.com", 5], {"/emails/1"}),
            (["b@example.com,c@example.com", "", "a@example.com\nb@example.com"], {f"/emails/{n}" for n in range(3)}),
        ],
    )
    async def test_refusals(self, offline: httpx2.AsyncClient, emails: Any, pointers: set[str]) -> None:
        assert refused_fields(await offline.post(UNSUBSCRIBE, json={"emails": emails})) == pointers


class TestListId:
    @pytest.mark.parametrize(("path", "body"), CALLS)
    async def test_refusals(self, offline: httpx2.AsyncClient, path: str, body: Any) -> None:
        assert refused_fields(await offline.post(path.replace("78", "0"), json=body)) == {"list_id"}
