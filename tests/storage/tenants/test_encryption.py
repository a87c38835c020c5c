"""What a copy of the database reveals, and master keys that change."""

from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.schema import master_keys, tenants
from app.storage.tenants import statements as tenant_work
from app.storage.tenants.models import TenantPatch
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import UpstreamAccount
from app.tenants.vault import MasterKey, MasterKeyMissing, MasterKeys, SecretDamaged, Vault
from tests.support.tenant_databases import NEW, OLD, READ, keyless, opened_repository, secret
from tests.support.tenants import make_smtp

SECRETS = ["planted-password", "planted-staged-password", "planted-relay-password"]


async def plant(repository: TenantRepository) -> str:
    """Put secrets everywhere; return a key."""
    await repository.add(keyless(password=SECRETS[0], smtp=make_smtp(25, username="u", password=SECRETS[2])))
    await repository.stage("acme", UpstreamAccount(username="u", password=secret(SECRETS[1])))
    return (await repository.create_key("acme", READ)).key.get_secret_value()


async def test_the_files_hold_no_secret(tmp_path: Path) -> None:
    async with opened_repository(f"sqlite:///{tmp_path / 'gateway.db'}") as repository:
        key = await plant(repository)
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    content += (tmp_path / "gateway.db").read_bytes()
    assert b"acme" in content
    for planted in (*SECRETS, key, key[12:]):
        assert planted.encode() not in content


async def test_without_the_master_key_nothing_starts(database_url: str) -> None:
    async with opened_repository(database_url) as repository:
        await plant(repository)
    with pytest.raises(MasterKeyMissing, match="Name it in MASTER_KEY") as caught:
        async with opened_repository(database_url, NEW):
            raise AssertionError("it started")
    assert isinstance(caught.value, DatabaseError)


async def test_an_empty_database_has_a_master_key_too(database_url: str) -> None:
    async with opened_repository(database_url):
        pass
    with pytest.raises(MasterKeyMissing):
        async with opened_repository(database_url, NEW):
            raise AssertionError("it started")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tenants SET password = staged_password",
        "UPDATE tenants SET smtp = replace(CAST(smtp AS TEXT), '127.0.0.1', '127.0.0.2')",
        "UPDATE tenants SET upstream = replace(CAST(upstream AS TEXT), '127.0.0.1', '127.0.0.2')",
        "UPDATE tenants SET data_key = password",
    ],
)
async def test_who_can_write_the_database_cannot_turn_secrets_elsewhere(tmp_path: Path, change: str) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    database = Database(url)
    async with opened_repository(url) as repository, database.running():
        await plant(repository)
        async with database.transaction() as connection:
            await connection.execute(text(change))
        with pytest.raises(SecretDamaged, match="tenant acme in the database is damaged"):
            await repository.open("acme")


class TestRotation:
    async def test_from_the_old_key_over_both_to_the_new_one(self, database_url: str) -> None:
        async with opened_repository(database_url, OLD) as repository:
            await plant(repository)
            await repository.add(keyless("rival"))
            before = await repository.open("acme"), await repository.open("acme", staged=True)
        async with opened_repository(database_url, NEW, OLD) as repository:
            await repository.update("rival", TenantPatch(smtp=make_smtp(25, username="u", password="p")))
            assert await repository.rotate_master() == 2
            assert await repository.rotate_master() == 0
        async with opened_repository(database_url, NEW) as repository:
            assert (await repository.open("acme"), await repository.open("acme", staged=True)) == before
            assert (await repository.get("acme")).revision == 2
        with pytest.raises(MasterKeyMissing):
            async with opened_repository(database_url, OLD):
                raise AssertionError("it started")

    async def test_until_it_is_done_both_are_needed(self, database_url: str) -> None:
        async with opened_repository(database_url, OLD) as repository:
            await repository.add(keyless())
        async with opened_repository(database_url, NEW, OLD) as repository:
            await repository.add(keyless("rival"))
        for key in (OLD, NEW):
            with pytest.raises(MasterKeyMissing):
                async with opened_repository(database_url, key):
                    raise AssertionError("it started")

    async def test_it_goes_on_where_it_ended(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tenant_work, "_BATCH", 2)
        database = Database(database_url)
        async with database.running(), opened_repository(database_url, OLD) as repository:
            for number in range(5):
                await repository.add(keyless(f"t{number}"))
            async with database.transaction() as connection:
                await connection.execute(update(tenants).where(tenants.c.id == "t4").values(master_key="lost"))
        rotating = TenantRepository(database, Vault(MasterKeys(NEW, OLD)))
        async with database.running():
            with pytest.raises(MasterKeyMissing, match="lost"):
                await rotating.rotate_master()
            async with database.transaction() as connection:
                await connection.execute(update(tenants).where(tenants.c.id == "t4").values(master_key=OLD.id))
                left = await connection.execute(select(tenants.c.id).where(tenants.c.master_key == OLD.id))
                remaining = len(left.all())
            assert 1 <= remaining < 5
            assert await rotating.rotate_master() == remaining
            async with database.reading() as connection:
                assert (await connection.execute(select(master_keys.c.id))).scalars().all() == [NEW.id]

    async def test_replicas_that_start_together_with_different_keys(self, database_url: str) -> None:
        first, second = Database(database_url), Database(database_url)
        async with first.running(), second.running():
            keys: list[tuple[Database, MasterKey]] = [(first, OLD), (second, NEW)]
            repositories = [TenantRepository(database, Vault(MasterKeys(key))) for database, key in keys]
            results = [await repository_check(each) for each in repositories]
        assert results == [None, OLD.id]


async def repository_check(repository: TenantRepository) -> str | None:
    """Return the id of the master key that is missing, if one is."""
    try:
        await repository.check()
    except MasterKeyMissing as missing:
        return missing.key_id
    return None
