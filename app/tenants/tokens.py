"""Signed access tokens (JWT, RFC 7519) of an identity provider, in the place of API keys."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from pydantic import TypeAdapter, ValidationError

from app.tenants.jwks import Jwk, ProviderKeys
from app.tenants.models import ApiKey, Identifier, Scope
from app.tenants.store import PREFIX, Identity, TenantStore, hash_key
from app.tenants.vault import MasterKey


def looks_like_token(presented: str) -> bool:
    """Tell whether what a request presents is a JWT and no API key."""
    return presented.count(".") == 2 and not presented.startswith(PREFIX)


_LONGEST = 8192
_LEEWAY = 30
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_TENANT_ID = TypeAdapter(Identifier)
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What the library, and Python's own conversions in it, raise for tokens that are not what they should be."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say."""

    issuer: str
    audience: str
    algorithms: Sequence[str]
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"


@dataclass(frozen=True, slots=True)
class _Verified:
    tenant_id: str
    key: ApiKey
    kid: str
    jwk: Jwk


class TokenVerifier:
    """Tells whom tokens stand for.

    What was verified is remembered for as long as the key that verified it is the provider's, so that a token that
    comes again costs a hash. The tenant is looked up each time. Tokens' headers choose among the provider's keys by
    `kid` and the allowed algorithms; where else they point (`jku`, `x5u`, `jwk`) is never read.
    """

    def __init__(
        self, rules: TokenRules, keys: ProviderKeys, tenants: TenantStore, master_key: MasterKey, *, most: int = 10_000
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._tenants = tenants
        self._master_key = master_key
        self._most = most
        self._known: OrderedDict[str, _Verified] = OrderedDict()

    async def identify(self, token: str) -> Identity | None:
        """Return whom a token stands for, or None; that it is not over is up to the caller, like with any key.

        Raises:
            KeysUnavailable: the provider's keys cannot be had.
        """
        if len(token) > _LONGEST:
            return None
        digest = hash_key(token)
        verified = self._known.get(digest)
        if verified is None or await self._keys.find(verified.kid) is not verified.jwk:
            self._known.pop(digest, None)
            verified = await self._verify(token, digest)
            if verified is None:
                return None
            self._remember(digest, verified)
        tenant = await self._tenants.find(verified.tenant_id)
        return Identity(tenant, verified.key) if tenant is not None else None

    def _remember(self, digest: str, verified: _Verified) -> None:
        self._known[digest] = verified
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    async def _verify(self, token: str, digest: str) -> _Verified | None:
        try:
            header = jwt.get_unverified_header(token)
            kid, algorithm = header.get("kid"), header.get("alg")
            if not isinstance(kid, str) or not isinstance(algorithm, str):
                return None
            if algorithm not in self._rules.algorithms or not _is_access_token(header):
                return None
            jwk = await self._keys.find(kid)
            if jwk is None or jwk.get("alg", algorithm) != algorithm:
                return None
            claims = self._claims(token, jwk, algorithm)
            return self._accepted(claims, digest, kid, jwk)
        except _BROKEN:
            return None

    def _claims(self, token: str, jwk: Jwk, algorithm: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(jwk, algorithm).key,
            algorithms=[algorithm],
            issuer=self._rules.issuer,
            audience=self._rules.audience,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
        )
        return claims

    def _accepted(self, claims: Mapping[str, Any], digest: str, kid: str, jwk: Jwk) -> _Verified | None:
        try:
            # No store is asked for what cannot be there, and may not even be able to look for.
            tenant_id = _TENANT_ID.validate_python(claims.get(self._rules.tenant_claim))
        except ValidationError:
            return None
        key = ApiKey(
            id=f"jwt-{self._subject(tenant_id, claims['sub'])}",
            sha256=digest,
            scopes=_scopes(claims.get(self._rules.scope_claim)),
            expires_at=datetime.fromtimestamp(int(claims["exp"]) + _LEEWAY, UTC),
        )
        return _Verified(tenant_id, key, kid, jwk)

    def _subject(self, tenant_id: str, subject: str) -> str:
        # A subject may be somebody's e-mail address.
        secret = self._master_key.derive("token-subjects", tenant_id)
        return hmac.new(secret, subject.encode(), hashlib.sha256).hexdigest()[:16]


def _is_access_token(header: Mapping[str, Any]) -> bool:
    return str(header.get("typ", "JWT")).lower() in _TYPES


def _scopes(claim: object) -> frozenset[Scope]:
    named = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(scope for scope in Scope if scope.value in named)
