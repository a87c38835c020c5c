"""Who may call: keys, where they are carried, what they may do."""

from datetime import UTC, datetime
from ipaddress import ip_network

import httpx2
import pytest

from app.api.authentication import Authenticator, Lockout
from app.api.request_head import RequestHead, presented_key
from app.errors import MalformedRequest
from app.gateway.context import Caller, RequestContext
from app.tenants.models import Scope, Tenant
from app.tenants.store import MemoryTenantStore
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, READ_KEY, make_tenant

HOSTILE = ["", " ", "wrong", KEY[:-1], KEY + "x", KEY.upper(), "x" * 10_000, "ключ", "a\tb"]


class TestKeys:
    @pytest.mark.parametrize(
        "headers", [{"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer   {KEY} "}, {"X-API-Key": KEY}]
    )
    async def test_both_headers_work(self, headers: dict[str, str]) -> None:
        platform = FakePlatform([xml_reply("<maillist/>")])
        async with client_of(make_app([make_tenant()], platform.transport), None) as client:
            assert (await client.get("/v1/lists", headers=headers)).status_code == 200

    @pytest.mark.parametrize("key", HOSTILE)
    async def test_unknown_and_wrong_keys_get_one_answer(self, offline: httpx2.AsyncClient, key: str) -> None:
        offline.headers.pop("authorization")
        none = problem(await offline.get("/v1/lists"), 401, "unauthenticated")
        for name, value in ((b"Authorization", f"Bearer {key}"), (b"X-API-Key", key)):
            response = await offline.get("/v1/lists", headers=[(name, value.encode())])
            body = problem(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert {**body, "request_id": none["request_id"]} == none

    async def test_authentication_comes_before_everything_else(self, offline: httpx2.AsyncClient) -> None:
        for method, path, body in (("POST", "/v1/lists", b"{"), ("GET", "/v1/nothing", b""), ("PUT", "/v1/lists", b"")):
            response = await offline.request(method, path, content=body, headers={"Authorization": "Bearer wrong"})
            problem(response, 401, "unauthenticated")

    async def test_different_keys_in_both_headers(self, offline: httpx2.AsyncClient) -> None:
        problem(await offline.get("/v1/lists", headers={"X-API-Key": READ_KEY}), 400, "malformed_request")

    async def test_a_key_stays_good_for_the_same_caller_alone(self) -> None:
        tenant = make_tenant()
        first, *others = tenant.keys
        context = RequestContext("id", "trace", client_address="127.0.0.1")
        caller = Caller(tenant, first.id, first.scopes, context)
        changes: list[tuple[bool, Tenant]] = [
            (True, tenant),
            (True, tenant.model_copy(update={"name": "Renamed"})),
            (False, tenant.model_copy(update={"enabled": False})),
            (False, tenant.model_copy(update={"id": "other"})),
            (False, tenant.model_copy(update={"keys": tuple(others)})),
        ]
        for good, change in (
            (True, {"networks": (ip_network("127.0.0.0/8"),)}),
            (False, {"networks": (ip_network("192.0.2.0/24"),)}),
            (False, {"scopes": frozenset({Scope.WRITE})}),
            (False, {"id": "another"}),
            (False, {"expires_at": datetime.now(UTC)}),
        ):
            changes.append((good, tenant.model_copy(update={"keys": (first.model_copy(update=change), *others)})))
        for good, changed in changes:
            authenticator = Authenticator(
                MemoryTenantStore([changed]),
                lockout=Lockout(failures=1, window=60),
                on_locked=lambda: None,
                now=lambda: datetime.now(UTC),
            )
            for _ in range(3):
                assert await authenticator.still_good(KEY, caller, Scope.READ) is good, changed

    def test_a_header_stands_once(self) -> None:
        with pytest.raises(MalformedRequest):
            presented_key(RequestHead([(b"x-api-key", b"a"), (b"x-api-key", b"b")]))

    def test_other_schemes_are_no_key(self) -> None:
        assert presented_key(RequestHead([(b"authorization", f"Basic {KEY}".encode())])) == ""


class TestTenants:
    async def test_a_disabled_tenant(self) -> None:
        async with client_of(make_app([make_tenant(enabled=False)])) as client:
            problem(await client.get("/v1/lists"), 403, "tenant_disabled")

    async def test_the_key_decides_whose_credentials_are_used(self) -> None:
        platform = FakePlatform([xml_reply("<maillist/>")])
        tenants = [make_tenant(tenant_id=name, password=f"{name}-password", suffix=name) for name in ("a", "b")]
        async with client_of(make_app(tenants, platform.transport), None) as client:
            for name in ("a", "b", "a"):
                await client.get("/v1/lists", headers={"X-API-Key": KEY + name})
        sent = [request.headers["authorization"] for request in platform.requests]
        assert sent[0] == sent[2] != sent[1]


async def test_service_endpoints_need_no_key(offline: httpx2.AsyncClient) -> None:
    offline.headers.pop("authorization")
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/redoc"):
        assert (await offline.get(path)).status_code == 200
