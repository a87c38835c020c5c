"""Tokens in the place of keys: what a good one may do, and every way in which a bad one gets nowhere."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.tenants.models import Tenant
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import unused_port
from tests.support.tenants import KEY, make_tenant
from tests.support.tokens import AUDIENCE, ISSUER, PrivateKey, Provider, ec_key, providing, public_jwk, rsa_key, token


@cache
def provider_key() -> Any:
    """Return the provider's key; making one takes a while."""
    return rsa_key()


@cache
def other_key() -> Any:
    return rsa_key()


@asynccontextmanager
async def gateway(
    provider: Provider, tenants: list[Tenant] | None = None, **settings: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    platform = FakePlatform([xml_reply("<maillist/>")])
    app = make_app(
        tenants or [make_tenant()],
        platform.transport,
        **{"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": provider.url, **settings},
    )
    async with client_of(app, None) as client:
        yield client


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with providing(public_jwk(provider_key(), "one")) as running:
        yield running


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[httpx2.AsyncClient]:
    async with gateway(provider) as made:
        yield made


async def ask(client: httpx2.AsyncClient, presented: str, method: str = "GET", **more: Any) -> httpx2.Response:
    return await client.request(method, "/v1/lists", headers={"Authorization": f"Bearer {presented}"}, **more)


class TestGoodTokens:
    async def test_reads(self, client: httpx2.AsyncClient, provider: Provider) -> None:
        good = token(provider_key())
        assert [(await ask(client, good)).status_code for _ in range(3)] == [200] * 3
        assert provider.fetches == 1

    async def test_keys_still_work(self, client: httpx2.AsyncClient, provider: Provider) -> None:
        assert (await ask(client, KEY)).status_code == 200
        assert (await ask(client, "a.b.c")).status_code == 401
        assert provider.fetches == 0

    @pytest.mark.parametrize("scope", ["read", ["read", "unknown"], "openid read", None, "", 7, ["write"], "READ"])
    async def test_scopes_are_those_that_are_known(self, client: httpx2.AsyncClient, scope: Any) -> None:
        presented = token(provider_key(), scope=scope)
        may_read = isinstance(scope, (str, list)) and "read" in scope
        assert (await ask(client, presented)).status_code == (200 if may_read else 403)

    async def test_other_claims_and_algorithms(self) -> None:
        key: PrivateKey = ec_key()
        async with (
            providing(public_jwk(key, "ec")) as provider,
            gateway(provider, jwt_tenant_claim="https://example.com/tenant", jwt_scope_claim="scp") as client,
        ):
            claims = {"https://example.com/tenant": "acme", "scp": ["read"], "scope": "", "tenant": "other"}
            presented = token(key, kid="ec", algorithm="ES256", header={"typ": "at+jwt"}, **claims)
            assert (await ask(client, presented)).status_code == 200

    async def test_a_disabled_tenant(self, provider: Provider) -> None:
        async with gateway(provider, [make_tenant(enabled=False)]) as client:
            problem(await ask(client, token(provider_key())), 403, "tenant_disabled")


class TestBadTokens:
    async def refuse(self, client: httpx2.AsyncClient, presented: str) -> None:
        unknown = problem(await ask(client, "umg_unknown"), 401, "unauthenticated")
        body = problem(await ask(client, presented), 401, "unauthenticated")
        assert {**body, "request_id": ""} == {**unknown, "request_id": ""}

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://elsewhere.example/"},
            {"iss": None},
            {"aud": "another-service"},
            {"aud": None},
            {"aud": []},
            {"exp": int(time.time()) - 60},
            {"exp": None},
            {"exp": 1e300},
            {"exp": 99999999999999},
            {"exp": "soon"},
            {"nbf": int(time.time()) + 86_400},
            {"iat": int(time.time()) + 86_400},
            {"sub": None},
            {"sub": 7},
            {"tenant": None},
            {"tenant": "unknown"},
            {"tenant": ["acme"]},
            {"tenant": ""},
            {"tenant": "a" * 65},
            {"tenant": "ac\0me"},
        ],
        ids=",".join,
    )
    async def test_claims(self, client: httpx2.AsyncClient, claims: dict[str, Any]) -> None:
        await self.refuse(client, token(provider_key(), **claims))

    async def test_signed_by_somebody_else(self, client: httpx2.AsyncClient) -> None:
        await self.refuse(client, token(other_key()))

    @pytest.mark.parametrize("kid", [None, "unknown", "../../etc/passwd", "' or 1=1 --", "https://evil.example/k"])
    async def test_key_ids(self, client: httpx2.AsyncClient, kid: str | None) -> None:
        await self.refuse(client, token(provider_key(), kid=kid))

    async def test_a_key_id_that_is_no_text(self, client: httpx2.AsyncClient) -> None:
        await self.refuse(client, forged({"alg": "RS256", "kid": ["one"]}, b""))

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
    async def test_unsigned(self, client: httpx2.AsyncClient, algorithm: str) -> None:
        await self.refuse(client, forged({"alg": algorithm, "kid": "one"}, b""))

    async def test_the_public_key_as_a_shared_secret(self, client: httpx2.AsyncClient, provider: Provider) -> None:
        public = provider_key().public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for secret in (pem, json.dumps(provider.keys[0]).encode(), provider.keys[0]["n"].encode()):
            await self.refuse(client, forged({"alg": "HS256", "kid": "one"}, secret))

    async def test_a_shared_secret_among_the_keys(self, client: httpx2.AsyncClient, provider: Provider) -> None:
        secret = b"s" * 32
        provider.keys.append({"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(secret).decode()})
        await self.refuse(client, forged({"alg": "HS256", "kid": "oct"}, secret))

    async def test_an_algorithm_that_is_not_allowed(self, client: httpx2.AsyncClient) -> None:
        await self.refuse(client, token(provider_key(), algorithm="PS256"))

    async def test_an_algorithm_that_is_not_the_keys(self, provider: Provider) -> None:
        provider.keys = [public_jwk(provider_key(), "one", alg="RS512")]
        async with gateway(provider) as client:
            await self.refuse(client, token(provider_key()))

    async def test_an_algorithm_of_another_kind_of_key(self, provider: Provider) -> None:
        async with gateway(provider) as client:
            await self.refuse(client, token(ec_key(), algorithm="ES256"))

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    async def test_a_short_key(self) -> None:
        weak = rsa_key(1024)
        async with providing(public_jwk(weak, "one")) as provider, gateway(provider) as client:
            await self.refuse(client, token(weak))

    @pytest.mark.parametrize("pointer", ["jku", "x5u", "jwk", "x5c"])
    async def test_a_key_of_the_tokens_own(self, client: httpx2.AsyncClient, pointer: str) -> None:
        """Wherever the header points, nobody asks there."""
        async with providing(public_jwk(other_key(), "one")) as attacker:
            place: Any = {"jwk": public_jwk(other_key(), "one"), "x5c": ["MIIB"]}.get(pointer, attacker.url)
            await self.refuse(client, token(other_key(), header={pointer: place}))
            assert attacker.fetches == 0

    @pytest.mark.parametrize("header", [{"typ": "logout+jwt"}, {"typ": 7}, {"crit": ["exp"]}, {"crit": []}])
    async def test_other_kinds_of_tokens(self, client: httpx2.AsyncClient, header: dict[str, Any]) -> None:
        signing = {"alg": "RS256", "kid": "one", **header}
        presented = token(provider_key(), header=header) if "typ" in header and header["typ"] != 7 else None
        await self.refuse(client, presented or forged(signing, b""))

    async def test_too_long(self, client: httpx2.AsyncClient, provider: Provider) -> None:
        await self.refuse(client, token(provider_key(), padding="x" * 8192))
        assert provider.fetches == 0

    @pytest.mark.parametrize("presented", ["..", "a..", "a.b.c", "e30.e30.", "ey.ey.ey", "e30=.e30=.e30=", "é.é.é"])
    async def test_what_is_no_token(self, client: httpx2.AsyncClient, presented: str) -> None:
        headers = [(b"Authorization", f"Bearer {presented}".encode())]
        assert (await client.get("/v1/lists", headers=headers)).status_code == 401

    async def test_one_that_was_good_and_is_over(self, provider: Provider) -> None:
        """Remembering what was verified does not prolong it."""
        now = [datetime.now(UTC)]
        platform = FakePlatform([xml_reply("<maillist/>")])
        settings: dict[str, Any] = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": provider.url}
        app = make_app([make_tenant()], platform.transport, now=lambda: now[0], **settings)
        async with client_of(app, None) as client:
            presented = token(provider_key())
            assert (await ask(client, presented)).status_code == 200
            now[0] += timedelta(seconds=331)
            assert (await ask(client, presented)).status_code == 401


async def test_a_provider_that_is_not_there(provider: Provider) -> None:
    async with gateway(provider, jwt_jwks_url=f"http://127.0.0.1:{unused_port()}/") as client:
        response = await ask(client, token(provider_key()))
        problem(response, 503, "state_unavailable")
        assert response.headers["retry-after"]
        assert (await ask(client, KEY)).status_code == 200


async def test_guessing_with_tokens_locks_out_too(provider: Provider) -> None:
    async with gateway(provider, lockout_failures=2) as client:
        bad, good = token(other_key()), token(provider_key())
        assert (await ask(client, good)).status_code == 200
        assert [(await ask(client, presented)).status_code for presented in (bad, bad, bad, good)] == [
            401,
            401,
            429,
            200,
        ]


async def test_without_settings_a_token_is_an_unknown_key(offline: httpx2.AsyncClient) -> None:
    problem(await ask(offline, token(provider_key())), 401, "unauthenticated")


def forged(header: dict[str, Any], secret: bytes) -> str:
    """Write a token by hand, signed with HMAC."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 300, "tenant": "acme"}
    parts = [json.dumps(part).encode() for part in (header, {**claims, "scope": "read write send manage"})]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.new(secret, signed, hashlib.sha256).digest() if secret else b""
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
