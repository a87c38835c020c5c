"""What operators can do, and that nobody else can."""

import httpx2
import pytest

from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant

TOKEN = "operators-token-of-forty-characters-here"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PURGE = "/admin/v1/cache/purge"
BREAKERS = "/admin/v1/breakers"


class TestCredential:
    @pytest.mark.parametrize(("method", "path"), [("POST", PURGE), ("GET", BREAKERS)])
    async def test_without_one_there_is_nothing(self, method: str, path: str) -> None:
        async with client_of(make_app([])) as client:
            problem(await client.request(method, path, headers=ADMIN, json={}), 404, "not_found")

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
    async def test_is_needed(self, headers: dict[str, str]) -> None:
        async with client_of(make_app([], admin_token=TOKEN), key=None) as client:
            response = await client.get(BREAKERS, headers=headers)
            problem(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"] == "Bearer"

    async def test_an_api_key_is_none(self) -> None:
        async with client_of(make_app([make_tenant()], admin_token=TOKEN), key=KEY) as client:
            problem(await client.get(BREAKERS), 401, "unauthenticated")

    async def test_is_no_api_key(self) -> None:
        async with client_of(make_app([make_tenant()], admin_token=TOKEN), key=None) as client:
            problem(await client.get("/v1/lists", headers=ADMIN), 401, "unauthenticated")


class TestPurge:
    @pytest.mark.parametrize(
        ("body", "forgotten"),
        [
            ({}, True),
            ({"tenant": "acme"}, True),
            ({"tenant": "acme", "tag": "lists"}, True),
            ({"tenant": "acme", "tag": "domains"}, False),
            ({"tenant": "rival"}, False),
        ],
    )
    async def test_forgets_what_it_names(self, body: dict[str, str], forgotten: bool) -> None:
        platform = FakePlatform([xml_reply("<maillist></maillist>")])
        app = make_app([make_tenant()], platform.transport, cache_lifetimes={}, admin_token=TOKEN)
        async with client_of(app) as client:
            await client.get("/v1/lists")
            response = await client.post(PURGE, headers=ADMIN, json=body)
            assert (response.status_code, response.content) == (204, b"")
            await client.get("/v1/lists")
        assert len(platform.requests) == (2 if forgotten else 1)

    @pytest.mark.parametrize("body", [{"tag": "lists"}, {"tenant": ""}, {"tenant": "a\0"}, {"everything": True}])
    async def test_refuses_nonsense(self, body: dict[str, object]) -> None:
        async with client_of(make_app([], admin_token=TOKEN), key=None) as client:
            problem(await client.post(PURGE, headers=ADMIN, json=body), 422, "validation_failed")


class TestBreakers:
    async def test_are_shown(self) -> None:
        failing = FakePlatform([httpx2.ConnectError("refused")])
        app = make_app([make_tenant()], failing.transport, admin_token=TOKEN, breaker_minimum_calls=2)
        async with client_of(app) as client:
            for _ in range(2):
                problem(await client.get("/v1/lists"), 503, "upstream_unavailable")
            response = await client.get("/v1/lists")
            left_alone = problem(response, 503, "upstream_unavailable")
            platform, breaker = (await client.get(BREAKERS, headers=ADMIN)).json()["data"]
            metrics = (await client.get("/metrics")).text
        assert len(failing.requests) == 2
        assert "left alone" in left_alone["detail"]
        assert 1 <= int(response.headers["retry-after"]) <= 15
        assert (platform["tenant"], platform["state"], platform["failures"]) == (None, "closed", 2)
        assert breaker["tenant"] == "acme"
        assert breaker["upstream"] == make_tenant().upstream.base_url
        assert breaker["state"] == "open"
        assert 0 < breaker["retry_after"] <= 15
        assert 'umail_gateway_breaker_changes_total{state="open"} 1.0' in metrics
        assert "umail_gateway_breakers_open 1.0" in metrics


class TestDrift:
    async def test_is_shown_without_what_stands_there(self) -> None:
        platform = FakePlatform([xml_reply("<maillist><colour>a secret of theirs</colour></maillist>")] * 2)
        app = make_app([make_tenant()], platform.transport, admin_token=TOKEN)
        async with client_of(app) as client:
            for _ in range(2):
                await client.get("/v1/lists")
            response = await client.get("/admin/v1/drift", headers=ADMIN)
        found = [each for each in response.json()["data"] if each["kind"] == "unknown_element"]
        assert [(each["operation"], each["times"]) for each in found] == [("lists.list", 2)]
        assert found[0]["path"].endswith("colour")
        assert "secret" not in response.text
