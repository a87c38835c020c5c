"""What every tenant store promises."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.tenants.file import FileTenantStore
from app.tenants.models import ApiKey, Scope, Tenant
from app.tenants.store import MemoryTenantStore, TenantStore, generate_key, hash_key
from tests.support.postgres import Databases
from tests.support.tenant_databases import keyless, new_key, opened_repository, opened_store, secret
from tests.support.tenants import make_smtp

KEYS = {
    "web": ApiKey(
        id="web",
        sha256=hash_key("x"),
        scopes=frozenset({Scope.READ, Scope.SEND}),
        requests_per_minute=7,
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
    ),
    "bare": ApiKey(id="bare", sha256=hash_key("y"), scopes=frozenset({Scope.READ})),
}
TENANTS = [
    keyless("acme", name="公司", role="manager", smtp=make_smtp(25, username="u", password="relay"), cache={"*": 5}),
    keyless("rival", enabled=False, password="密码:x"),
]


@dataclass(frozen=True, slots=True)
class Stocked:
    """A store with `TENANTS`, of which each has the keys `KEYS`.

    Args:
        store: the store.
        keys: the keys themselves, by tenant and id.
    """

    store: TenantStore
    keys: dict[tuple[str, str], str]


@pytest.fixture(params=["file", "memory", "sqlite", "postgres"])
async def stocked(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stocked]:
    """A store of each kind in turn."""
    if request.param in {"file", "memory"}:
        keys = {(tenant.id, key_id): generate_key() for tenant in TENANTS for key_id in KEYS}
        tenants = [_with_keys(tenant, keys) for tenant in TENANTS]
        store = MemoryTenantStore(tenants) if request.param == "memory" else FileTenantStore(_file(tmp_path, tenants))
        async with store.running():
            yield Stocked(store, keys)
        return
    postgres: Databases | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    url = postgres.make() if postgres else f"sqlite:///{tmp_path / 'gateway.db'}"
    keys = {}
    async with opened_repository(url) as repository:
        for tenant in TENANTS:
            await repository.add(tenant)
            for key in KEYS.values():
                created = await repository.create_key(tenant.id, new_key(key))
                keys[tenant.id, key.id] = created.key.get_secret_value()
    async with opened_store(url) as database_store:
        yield Stocked(database_store, keys)


def _with_keys(tenant: Tenant, keys: dict[tuple[str, str], str]) -> Tenant:
    own = [key.model_copy(update={"sha256": hash_key(keys[tenant.id, key.id])}) for key in KEYS.values()]
    return tenant.model_copy(update={"keys": tuple(own)})


def _file(folder: Path, tenants: list[Tenant]) -> Path:
    documents = []
    for tenant in tenants:
        document = tenant.model_dump(mode="json", exclude_none=True)
        document["upstream"]["password"] = tenant.upstream.password.get_secret_value()
        if tenant.smtp is not None:
            document["smtp"]["password"] = "relay"
        documents.append(document)
    path = folder / "tenants.yaml"
    path.write_text(json.dumps({"tenants": documents}), encoding="utf-8")
    return path


def bare(tenant: Tenant) -> Tenant:
    """Return a tenant without keys, which not every store fills in."""
    return tenant.model_copy(update={"keys": ()})


async def test_each_key_stands_for_its_tenant(stocked: Stocked) -> None:
    for tenant in TENANTS:
        for key in KEYS.values():
            presented = stocked.keys[tenant.id, key.id]
            identity = await stocked.store.identify(presented)
            assert identity is not None
            assert bare(identity.tenant) == tenant
            assert identity.key == key.model_copy(update={"sha256": hash_key(presented)})


async def test_other_keys_stand_for_nobody(stocked: Stocked) -> None:
    key = stocked.keys["acme", "web"]
    for wrong in ("", key[:-1], f"{key}x", f" {key}", key.upper(), hash_key(key), "\udcff", "\0", "x" * 100_000):
        for _ in range(2):
            assert await stocked.store.identify(wrong) is None


async def test_tenants_by_their_ids(stocked: Stocked) -> None:
    for tenant in TENANTS:
        found = await stocked.store.find(tenant.id)
        assert found is not None
        assert bare(found) == tenant
    for wrong in ("", "Acme", "nobody", "acme ", "a" * 10_000):
        assert await stocked.store.find(wrong) is None


async def test_a_tenant_stays_the_same_object(stocked: Stocked) -> None:
    tenant = await stocked.store.find("acme")
    for key in KEYS:
        identity = await stocked.store.identify(stocked.keys["acme", key])
        assert identity is not None
        assert identity.tenant is tenant
    assert await stocked.store.find("acme") is tenant


async def test_no_secret_is_shown(stocked: Stocked) -> None:
    identity = await stocked.store.identify(stocked.keys["rival", "web"])
    assert identity is not None
    assert identity.tenant.upstream.password == secret("密码:x")
    assert "密码:x" not in repr(identity)
