"""Keys that are bound to a time or a place, addresses that guess, and that refusals are all alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.tenants.models import ApiKey, Scope, Tenant
from app.tenants.store import Identity, MemoryTenantStore, hash_key
from tests.support.databases import fresh_database
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app, make_settings
from tests.support.tenants import KEY, READ_KEY, make_tenant

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOUND_KEY = "umg_test-key-with-conditions"
ADMIN_TOKEN = "operators-token-of-forty-characters-here"


def bound(**conditions: Any) -> Tenant:
    """Return a tenant whose key is bound to conditions."""
    key = {"id": "bound", "sha256": hash_key(BOUND_KEY), "scopes": frozenset(Scope), **conditions}
    return make_tenant(keys=(ApiKey.model_validate(key),))


@asynccontextmanager
async def coming_from(app: FastAPI, address: str, key: str | None = BOUND_KEY) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client at an address."""
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    headers = {"X-API-Key": key} if key else {}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client,
    ):
        yield client


def application(tenant: Tenant, **settings: Any) -> FastAPI:
    platform = FakePlatform([xml_reply("<maillist/>")])
    return make_app([tenant], platform.transport, now=lambda: NOW, **settings)


class TestExpiry:
    @pytest.mark.parametrize(("left", "status"), [(1, 200), (0, 401), (-1, 401)])
    async def test_a_key_ends_when_it_says(self, left: int, status: int) -> None:
        app = application(bound(expires_at=NOW + timedelta(seconds=left)))
        async with client_of(app, BOUND_KEY) as client:
            assert (await client.get("/v1/lists")).status_code == status


class TestNetworks:
    @pytest.mark.parametrize(
        ("address", "status"),
        [
            ("192.0.2.77", 200),
            ("::ffff:192.0.2.77", 200),
            ("2001:db8::77", 200),
            ("192.0.3.1", 401),
            ("not-an-address", 401),
        ],
    )
    async def test_a_key_is_good_in_its_networks(self, address: str, status: int) -> None:
        app = application(bound(networks=("192.0.2.0/24", "2001:db8::/64")))
        async with coming_from(app, address) as client:
            assert (await client.get("/v1/lists")).status_code == status

    async def test_only_a_trusted_proxy_says_where_a_client_is(self) -> None:
        tenant = bound(networks=("192.0.2.0/24",))
        forwarded = {"X-Forwarded-For": "192.0.2.77"}
        async with coming_from(application(tenant), "10.0.0.1") as client:
            assert (await client.get("/v1/lists", headers=forwarded)).status_code == 401
        async with coming_from(application(tenant, trusted_proxies="10.0.0.0/8"), "10.0.0.1") as client:
            assert (await client.get("/v1/lists", headers=forwarded)).status_code == 200
            spoofed = {"X-Forwarded-For": "192.0.2.77, 203.0.113.5"}
            assert (await client.get("/v1/lists", headers=spoofed)).status_code == 401
            assert (await client.get("/v1/lists", headers={"X-Forwarded-For": "unknown"})).status_code == 401

    async def test_host_and_scheme_are_never_read_from_headers(self) -> None:
        plain = application(bound(), trusted_proxies="10.0.0.0/8")
        lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "X-Forwarded-Prefix": "/evil"}
        async with coming_from(plain, "10.0.0.1") as client:
            for path in ("/v1/lists", "/docs", "/v1/nothing"):
                answers = [await client.get(path, headers=headers) for headers in ({}, lies)]
                assert _comparable(answers[0]) == _comparable(answers[1])


class TestEqualAnswers:
    async def test_every_key_that_may_not_be_used_gets_the_same_bytes(self) -> None:
        """An unknown key, a wrong one, one that ended and one from elsewhere: all headers but ids, and the body."""
        keys = (
            ApiKey(id="ended", sha256=hash_key("umg_ended"), scopes=frozenset(Scope), expires_at=NOW),
            ApiKey.model_validate(
                {"id": "away", "sha256": hash_key("umg_away"), "scopes": ["read"], "networks": ["192.0.2.1/32"]}
            ),
            ApiKey(id="good", sha256=hash_key(KEY), scopes=frozenset(Scope)),
        )
        async with coming_from(application(make_tenant(keys=keys)), "192.0.2.99", key=None) as client:
            presented = [None, "", "x", "umg_unknown", KEY[:-1], KEY + "x", hash_key(KEY), "umg_ended", "umg_away"]
            answers = [
                await client.get("/v1/lists", headers={"X-API-Key": key} if key is not None else {})
                for key in presented
            ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({repr(_comparable(answer)) for answer in answers}) == 1


def _comparable(answer: httpx2.Response) -> tuple[Any, ...]:
    ids = {"x-request-id", "traceparent", "server-timing", "age", "ratelimit"}
    headers = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in ids]
    request_id = answer.headers["x-request-id"].encode()
    return answer.status_code, headers, answer.content.replace(request_id, b"")


class CountingStore(MemoryTenantStore):
    """Counts look-ups."""

    lookups = 0

    async def identify(self, key: str) -> Identity | None:
        self.lookups += 1
        return await super().identify(key)


class TestLockout:
    async def test_guessing_ends_without_a_lookup(self) -> None:
        store = CountingStore([make_tenant()])
        platform = FakePlatform([xml_reply("<maillist/>")])
        app = create_app(
            make_settings(lockout_failures=3), tenants=store, transport=platform.transport, database=fresh_database()
        )
        async with coming_from(app, "192.0.2.1", key=None) as client:
            assert await self._ask(client, KEY) == 200
            assert [await self._ask(client, f"umg_{number}") for number in range(3)] == [401] * 3
            looked_up = store.lookups
            refused = await client.get("/v1/lists", headers={"X-API-Key": "umg_next"})
            problem(refused, 429, "rate_limited")
            assert 0 < int(refused.headers["retry-after"]) <= 60
            # A right one that was not used from here before looks just like a wrong one.
            right = await client.get("/v1/lists", headers={"X-API-Key": READ_KEY})
            assert (right.status_code, right.headers["content-length"]) == (429, refused.headers["content-length"])
            assert store.lookups == looked_up
            assert await self._ask(client, KEY) == 200
            assert b'umail_gateway_refused_total{reason="address"} 2.0' in (await client.get("/metrics")).content
        async with coming_from(app, "192.0.2.2", key=None) as client:
            assert await self._ask(client, READ_KEY) == 200

    async def test_no_key_at_all_is_no_guess(self) -> None:
        app = application(bound(), lockout_failures=1)
        async with coming_from(app, "192.0.2.1", key=None) as client:
            for _ in range(3):
                assert (await client.get("/v1/lists")).status_code == 401

    async def test_keys_that_ended_are_counted_like_unknown_ones(self) -> None:
        app = application(bound(expires_at=NOW), lockout_failures=2)
        async with coming_from(app, "192.0.2.1") as client:
            assert [(await client.get("/v1/lists")).status_code for _ in range(3)] == [401, 401, 429]

    async def test_the_operators_token_even_if_it_is_right(self) -> None:
        app = make_app([], admin_token=ADMIN_TOKEN, lockout_failures=2)
        async with coming_from(app, "192.0.2.1", key=None) as client:
            assert [await self._administer(client, token) for token in ("a", "b", "c", ADMIN_TOKEN)] == [
                401,
                401,
                429,
                429,
            ]
        async with coming_from(app, "192.0.2.2", key=None) as client:
            assert [await self._administer(client, token) for token in (ADMIN_TOKEN, "a", "b", "c", ADMIN_TOKEN)] == [
                200,
                401,
                401,
                429,
                200,
            ]

    async def _ask(self, client: httpx2.AsyncClient, key: str) -> int:
        return (await client.get("/v1/lists", headers={"X-API-Key": key})).status_code

    async def _administer(self, client: httpx2.AsyncClient, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return (await client.get("/admin/v1/breakers", headers=headers)).status_code
