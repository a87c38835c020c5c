"""Which web pages may use the API."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.conformance import check_headers
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}


def application(origins: str | None = ORIGIN, **settings: Any) -> FastAPI:
    platform = FakePlatform([xml_reply("<maillist/>")])
    return make_app([make_tenant()], platform.transport, cors_origins=origins, **settings)


def allowed(response: httpx2.Response) -> str | None:
    assert "access-control-allow-credentials" not in response.headers
    value: str | None = response.headers.get("access-control-allow-origin")
    return value


async def test_off_by_default() -> None:
    async with client_of(application(None)) as client:
        assert allowed(await client.get("/v1/lists", headers={"Origin": ORIGIN})) is None
        preflight = await client.options("/v1/lists", headers={"Origin": ORIGIN, **PREFLIGHT})
        assert (preflight.status_code, allowed(preflight)) == (401, None) or preflight.status_code == 405


async def test_a_preflight_needs_no_key() -> None:
    async with client_of(application(), None) as client:
        response = await client.options("/v1/lists", headers={"Origin": ORIGIN, **PREFLIGHT})
    assert (response.status_code, allowed(response)) == (200, ORIGIN)
    assert "Idempotency-Key" in response.headers["access-control-allow-headers"]
    assert "Origin" in response.headers["vary"]
    check_headers(response)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://APP.example.com",
        "null",
        "",
    ],
)
async def test_other_origins_get_nothing(origin: str) -> None:
    async with client_of(application()) as client:
        refused = await client.options("/v1/lists", headers={"Origin": origin, **PREFLIGHT})
        assert (refused.status_code, allowed(refused)) == (400, None)
        assert allowed(await client.get("/v1/lists", headers={"Origin": origin})) is None


async def test_answers_can_be_read_with_their_headers() -> None:
    async with client_of(application(f"https://other.example,{ORIGIN}")) as client:
        response = await client.get("/v1/lists", headers={"Origin": ORIGIN})
    assert (response.status_code, allowed(response)) == (200, ORIGIN)
    exposed = {name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")}
    assert {"etag", "link", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"} <= exposed
    assert {"idempotency-replayed", "server-timing", "cache-status", "age", "content-disposition"} <= exposed


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Request-Timeout": "never"}])
async def test_errors_can_be_read_too(headers: dict[str, str]) -> None:
    """Also those that are answered before anything else."""
    async with client_of(application()) as client:
        response = await client.get("/v1/lists", headers={"Origin": ORIGIN, **headers})
    assert response.is_error
    assert allowed(response) == ORIGIN


async def test_all_origins() -> None:
    async with client_of(application("*")) as client:
        assert allowed(await client.get("/v1/lists", headers={"Origin": "https://any.example"})) == "*"
        preflight = await client.options("/v1/lists", headers={"Origin": "null", **PREFLIGHT})
        assert (preflight.status_code, allowed(preflight)) == (200, "*")


async def test_what_operators_use_is_left_out() -> None:
    app = application("*", admin_token="operators-token-of-forty-characters-here")
    async with client_of(app) as client:
        response = await client.get("/admin/v1/breakers", headers={"Origin": ORIGIN})
        assert allowed(response) is None
        preflight = await client.options("/admin/v1/breakers", headers={"Origin": ORIGIN, **PREFLIGHT})
        assert (preflight.status_code, allowed(preflight)) == (401, None)
