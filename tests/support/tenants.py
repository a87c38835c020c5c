"""Tenants for tests."""

from pydantic import SecretStr

from app.tenants.models import ApiKey, Limits, Scope, SmtpAccount, Tenant, UpstreamAccount
from app.tenants.store import hash_key

KEY = "umg_test-key-with-every-scope"
READ_KEY = "umg_test-key-that-may-only-read"
WRITE_KEY = "umg_test-key-that-may-read-and-write"

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
BASE_URL = "http://127.0.0.1:9/mm-ms/apinew/"


def make_tenant(
    *,
    tenant_id: str = "acme",
    base_url: str = BASE_URL,
    password: str = "tenant-password",
    role: str = "customer",
    suffix: str = "",
    **fields: object,
) -> Tenant:
    """Return a tenant with one key per set of scopes; `suffix` tells several tenants' keys apart."""
    every = set(Scope)
    keys = (
        _key("all", KEY + suffix, every),
        _key("reader", READ_KEY + suffix, {Scope.READ}),
        _key("writer", WRITE_KEY + suffix, {Scope.READ, Scope.WRITE}),
    )
    return Tenant.model_validate(
        {
            "id": tenant_id,
            "name": tenant_id.title(),
            "role": role,
            "upstream": UpstreamAccount(base_url=base_url, username=tenant_id, password=SecretStr(password)),
            "keys": keys,
            "limits": Limits(requests_per_minute=1_000_000, concurrency=1000),
            **fields,
        }
    )


def make_smtp(port: int, **fields: object) -> SmtpAccount:
    """Return an SMTP relay on loopback."""
    return SmtpAccount.model_validate({"host": "127.0.0.1", "port": port, **fields})


def _key(key_id: str, key: str, scopes: set[Scope]) -> ApiKey:
    return ApiKey(id=key_id, sha256=hash_key(key), scopes=frozenset(scopes))
