"""Encryption of secrets and data keys."""

import pytest

from app.tenants.vault import DataKey, MasterKey, MasterKeyMissing, MasterKeys, SecretDamaged, Vault, WrappedKey
from tests.support.tenant_databases import NEW, OLD, secret

HOST = "http://platform/"


def test_a_secret_comes_back() -> None:
    vault = Vault(MasterKeys(OLD))
    wrapped, data_key = vault.create("acme")
    sealed = data_key.seal("password", HOST, secret("密码:geheim"))
    assert vault.open("acme", wrapped).open("password", HOST, sealed).get_secret_value() == "密码:geheim"
    assert b"geheim" not in sealed


def test_nothing_is_encrypted_alike_twice() -> None:
    _, data_key = Vault(MasterKeys(OLD)).create("acme")
    assert len({data_key.seal("password", HOST, secret("x")) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("tenant", "field", "target"),
    [("rival", "password", HOST), ("acme", "SMTP password", HOST), ("acme", "password", "http://elsewhere/")],
)
def test_a_secret_is_bound_to_its_place(tenant: str, field: str, target: str) -> None:
    key = bytes(32)
    sealed = DataKey("acme", key).seal("password", HOST, secret("x"))
    with pytest.raises(SecretDamaged, match=f"tenant {tenant}"):
        DataKey(tenant, key).open(field, target, sealed)


@pytest.mark.parametrize(
    ("start", "end", "added"), [(0, -1, b""), (0, 0, b""), (0, -2, b"\0\0"), (1, None, b""), (0, 5, b"")]
)
def test_a_damaged_secret(start: int, end: int | None, added: bytes) -> None:
    data_key = DataKey("acme", bytes(32))
    sealed = data_key.seal("password", HOST, secret("geheim"))
    with pytest.raises(SecretDamaged) as caught:
        data_key.open("password", HOST, sealed[start:end] + added)
    assert "geheim" not in str(caught.value)


def test_a_data_key_is_bound_to_its_tenant() -> None:
    vault = Vault(MasterKeys(OLD))
    wrapped, _ = vault.create("acme")
    with pytest.raises(SecretDamaged, match="data key of tenant rival"):
        vault.open("rival", wrapped)


def test_another_master_key() -> None:
    wrapped, _ = Vault(MasterKeys(OLD)).create("acme")
    with pytest.raises(MasterKeyMissing, match=f"master key {OLD.id}, which is not configured") as caught:
        Vault(MasterKeys(NEW)).open("acme", wrapped)
    assert caught.value.key_id == OLD.id


def test_a_forged_master_key_id() -> None:
    wrapped, _ = Vault(MasterKeys(OLD)).create("acme")
    with pytest.raises(SecretDamaged):
        Vault(MasterKeys(NEW)).open("acme", WrappedKey(NEW.id, wrapped.sealed))


def test_a_data_key_under_a_new_master_key() -> None:
    old = Vault(MasterKeys(OLD))
    wrapped, data_key = old.create("acme")
    sealed = data_key.seal("password", HOST, secret("x"))
    rewrapped = Vault(MasterKeys(NEW, OLD)).rewrap("acme", wrapped)
    assert rewrapped.master_key == NEW.id
    assert Vault(MasterKeys(NEW)).open("acme", rewrapped).open("password", HOST, sealed).get_secret_value() == "x"
    with pytest.raises(MasterKeyMissing):
        old.open("acme", rewrapped)


def test_keys_show_nothing_of_themselves() -> None:
    _, data_key = Vault(MasterKeys(OLD)).create("acme")
    assert repr(data_key) == object.__repr__(data_key)
    assert OLD.id != NEW.id
    assert len(OLD.id) == 16
    assert MasterKey(bytes([1]) * 32).id == OLD.id
