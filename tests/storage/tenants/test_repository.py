"""Administering tenants and keys, on databases of every kind."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from app.storage.tenants.models import Missing, NewKey, RevisionConflict, TenantPatch
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import Limits, Scope, SmtpAccount, UpstreamAccount
from app.tenants.store import hash_key
from tests.support.attempts import Clock
from tests.support.tenant_databases import READ, keyless, secret
from tests.support.tenants import make_smtp, make_tenant

RELAY = make_smtp(2525, username="news@acme.example", password="relay-password")
LOGIN = UpstreamAccount(base_url="http://127.0.0.1:9/new/", username="acme2", password=secret("new-password"))


class TestTenants:
    async def test_what_is_added_comes_back(self, repository: TenantRepository) -> None:
        tenant = keyless(
            name="Ä 公司 😀",
            role="manager",
            smtp=RELAY,
            cache={"lists.list": 5, "*": 0.5},
            limits=Limits(concurrency=3),
        )
        record = await repository.add(tenant)
        assert await repository.get("acme") == record
        assert await repository.open("acme") == tenant
        assert (record.revision, record.enabled, record.staged) == (1, True, None)
        assert record.created_at == record.updated_at
        assert record.smtp is not None
        assert (record.name, record.smtp.username) == ("Ä 公司 😀", "news@acme.example")
        for shown in (repr(record), record.model_dump_json()):
            assert "tenant-password" not in shown
            assert "relay-password" not in shown

    async def test_an_id_is_given_once(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        with pytest.raises(RevisionConflict, match="a tenant acme already"):
            await repository.add(keyless(password="other"))
        assert (await repository.open("acme")).upstream.password.get_secret_value() == "tenant-password"

    async def test_keys_are_not_added_with_it(self, repository: TenantRepository) -> None:
        with pytest.raises(ValueError, match="create_key"):
            await repository.add(make_tenant())

    async def test_pages(self, repository: TenantRepository) -> None:
        assert await repository.list() == await repository.list(offset=5)
        for number in range(5):
            await repository.add(keyless(f"t{number}"))
        page = await repository.list(offset=1, limit=2)
        assert ([each.id for each in page.items], page.total) == (["t1", "t2"], 5)

    async def test_only_what_is_set_changes(self, repository: TenantRepository, clock: Clock) -> None:
        before = await repository.add(keyless(smtp=RELAY))
        clock.advance(seconds=5)
        after = await repository.update("acme", TenantPatch(name="Other"))
        changes = {"name": "Other", "revision": 2, "updated_at": clock()}
        assert after == before.model_copy(update=changes)
        assert after.updated_at > after.created_at
        assert (await repository.open("acme")).smtp == RELAY

    async def test_every_field(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        patch = TenantPatch(
            name="Other", enabled=False, role="manager", smtp=RELAY, limits=Limits(concurrency=7), cache={"*": 9}
        )
        await repository.update("acme", patch)
        tenant = await repository.open("acme")
        for name in TenantPatch.model_fields:
            assert getattr(tenant, name) == getattr(patch, name)

    @pytest.mark.parametrize("relay", [None, SmtpAccount(host="other.example")])
    async def test_a_relay_changes_as_a_whole(self, repository: TenantRepository, relay: SmtpAccount | None) -> None:
        await repository.add(keyless(smtp=RELAY))
        await repository.update("acme", TenantPatch(smtp=relay))
        assert (await repository.open("acme")).smtp == relay

    async def test_a_change_decided_on_an_older_revision(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        await repository.update("acme", TenantPatch(name="First"), revision=1)
        with pytest.raises(RevisionConflict, match="revision 2 by now, not 1"):
            await repository.update("acme", TenantPatch(name="Second"), revision=1)
        assert (await repository.get("acme")).name == "First"

    @pytest.mark.parametrize("fields", [{"name": None}, {"name": ""}, {"upstream": {}}, {"limits": None}, {"x": 1}])
    def test_patches_that_make_no_sense(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            TenantPatch.model_validate(fields)

    async def test_deleting(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        await repository.create_key("acme", READ)
        await repository.delete("acme")
        assert (await repository.list()).total == (await repository.list_keys()).total == 0
        await repository.add(keyless())
        assert (await repository.get("acme")).revision == 1

    async def test_a_tenant_that_is_not_there(self, repository: TenantRepository) -> None:
        attempts = [
            repository.get("acme"),
            repository.open("acme"),
            repository.update("acme", TenantPatch()),
            repository.delete("acme"),
            repository.stage("acme", LOGIN),
            repository.confirm("acme"),
            repository.rollback("acme"),
            repository.create_key("acme", READ),
            repository.list_keys("acme"),
            repository.revoke_key("acme", "web"),
        ]
        for attempt in attempts:
            with pytest.raises(Missing, match="no tenant acme"):
                await attempt


class TestStaging:
    async def test_a_staged_login_is_used_once_it_is_confirmed(self, repository: TenantRepository) -> None:
        tenant = keyless()
        await repository.add(tenant)
        record = await repository.stage("acme", LOGIN)
        assert record.staged is not None
        assert (record.staged.username, record.upstream.username) == ("acme2", "acme")
        assert "new-password" not in repr(record)
        assert (await repository.open("acme")).upstream == tenant.upstream
        assert (await repository.open("acme", staged=True)).upstream == LOGIN
        record = await repository.confirm("acme")
        assert (record.staged, record.revision) == (None, 3)
        assert (await repository.open("acme")).upstream == LOGIN

    async def test_rolled_back(self, repository: TenantRepository) -> None:
        tenant = keyless()
        await repository.add(tenant)
        await repository.stage("acme", LOGIN)
        record = await repository.rollback("acme")
        assert record.staged is None
        assert await repository.open("acme") == tenant

    async def test_the_last_one_staged_counts(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        await repository.stage("acme", LOGIN)
        await repository.stage("acme", LOGIN.model_copy(update={"username": "third"}))
        await repository.confirm("acme")
        assert (await repository.open("acme")).upstream.username == "third"

    async def test_nothing_staged(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        for attempt in (repository.confirm("acme"), repository.rollback("acme"), repository.open("acme", staged=True)):
            with pytest.raises(Missing, match="no staged login"):
                await attempt
        assert (await repository.get("acme")).revision == 1


class TestKeys:
    async def test_a_key_is_shown_once(self, repository: TenantRepository, clock: Clock) -> None:
        await repository.add(keyless())
        new = NewKey(
            id="web",
            scopes=frozenset({Scope.READ, Scope.SEND}),
            requests_per_minute=5,
            expires_at=datetime(2030, 1, 1, tzinfo=UTC),
            networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
        )
        created = await repository.create_key("acme", new)
        key = created.key.get_secret_value()
        assert key not in repr(created)
        assert hash_key(key) not in repr(created)
        record = created.record
        assert record.model_dump(include=set(NewKey.model_fields)) == new.model_dump()
        assert (record.tenant, record.prefix, record.created_at) == ("acme", key[:12], clock())
        assert (record.last_used_at, record.revoked_at) == (None, None)
        assert (await repository.list_keys("acme")).items == (record,)

    async def test_several_live_keys(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        await repository.add(keyless("rival"))
        made = [await repository.create_key(tenant, READ) for tenant in ("acme", "acme", "rival")]
        assert len({each.record.id for each in made}) == len({each.key.get_secret_value() for each in made}) == 3
        assert (await repository.list_keys("acme")).total == 2
        page = await repository.list_keys(offset=2, limit=5)
        assert (page.items, page.total) == ((made[2].record,), 3)

    async def test_ids_are_not_used_twice(self, repository: TenantRepository) -> None:
        await repository.add(keyless())
        new = READ.model_copy(update={"id": "web"})
        await repository.create_key("acme", new)
        await repository.revoke_key("acme", "web")
        with pytest.raises(RevisionConflict, match="has, or had, a key web"):
            await repository.create_key("acme", new)

    async def test_revoking(self, repository: TenantRepository, clock: Clock) -> None:
        await repository.add(keyless())
        created = (await repository.create_key("acme", READ)).record
        clock.advance(hours=1)
        revoked = await repository.revoke_key("acme", created.id)
        assert revoked == created.model_copy(update={"revoked_at": clock()})
        clock.advance(hours=1)
        assert await repository.revoke_key("acme", created.id) == revoked
        assert (await repository.list_keys("acme")).total == 0
        assert (await repository.list_keys("acme", revoked=True)).items == (revoked,)
        with pytest.raises(Missing, match="has no key web"):
            await repository.revoke_key("acme", "web")

    async def test_the_last_use_is_coarse(self, repository: TenantRepository, clock: Clock) -> None:
        await repository.add(keyless())
        key = (await repository.create_key("acme", READ)).record.id
        other = (await repository.create_key("acme", READ)).record.id
        first = clock()
        for minutes, expected in ((0, first), (4, first), (6, first + timedelta(minutes=6))):
            await repository.touch({("acme", key): first + timedelta(minutes=minutes), ("no", "body"): first})
            used = {each.id: each.last_used_at for each in (await repository.list_keys("acme")).items}
            assert used == {key: expected, other: None}
        await repository.touch({})

    @pytest.mark.parametrize(
        "fields",
        [
            {"scopes": []},
            {"scopes": ["fly"]},
            {"scopes": ["read"], "id": "a b"},
            {"scopes": ["read"], "expires_at": "2030-01-01T00:00:00"},
            {"scopes": ["read"], "networks": ["10.0.0.1/8"]},
            {"scopes": ["read"], "requests_per_minute": 0},
        ],
    )
    def test_keys_that_make_no_sense(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            NewKey.model_validate(fields)
