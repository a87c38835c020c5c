"""Encryption of tenants' secrets: each under a key of its tenant, and that key under a master key.

Everything is AES-256-GCM with a random nonce and begins with the number of this format. What is encrypted is bound to
its place: a secret moved to another tenant or field, a data key moved to another tenant, or a password whose host was
edited in the database cannot be decrypted there.
"""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from app.errors import DatabaseError
from app.tenants.master_keys import MasterKey, MasterKeys

_FORMAT = b"1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class MasterKeyMissing(DatabaseError):
    """Secrets in the database are encrypted with a master key that is not configured."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Secrets in the database are encrypted with the master key {key_id}, which is not configured. Name it in"
            " MASTER_KEY or MASTER_KEY_FILE, behind the current one if there is one."
        )
        self.key_id = key_id


class SecretDamaged(DatabaseError):
    """A secret in the database is not what the gateway wrote there for this tenant."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A tenant's data key as it is kept."""

    master_key: str
    sealed: bytes


class DataKey:
    """What a tenant's secrets are encrypted with; its repr shows nothing."""

    def __init__(self, tenant: str, key: bytes) -> None:
        self._tenant = tenant
        self._key = key

    def seal(self, field: str, target: str, secret: SecretStr) -> bytes:
        """Encrypt a secret for one field of the tenant."""
        return _seal(self._key, secret.get_secret_value().encode(), self._place(field, target))

    def open(self, field: str, target: str, sealed: bytes) -> SecretStr:
        """Decrypt a secret.

        Raises:
            SecretDamaged: it was not sealed for this field of this tenant and this target.
        """
        try:
            return SecretStr(_open(self._key, sealed, self._place(field, target)).decode())
        except (InvalidTag, ValueError):
            raise SecretDamaged(f"The {field} of tenant {self._tenant} in the database is damaged.") from None

    def _place(self, field: str, target: str) -> bytes:
        return _place("secret", self._tenant, field, target)


class Vault:
    """Makes, encrypts and decrypts the tenants' data keys."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys

    @property
    def current(self) -> str:
        """The id of the current master key."""
        return self._master_keys.current.id

    @property
    def known(self) -> frozenset[str]:
        """The ids of all master keys at hand."""
        return self._master_keys.ids

    def create(self, tenant: str) -> tuple[WrappedKey, DataKey]:
        """Return a new data key, encrypted and not."""
        key = secrets.token_bytes(_KEY_BYTES)
        return self._wrap(tenant, key), DataKey(tenant, key)

    def open(self, tenant: str, wrapped: WrappedKey) -> DataKey:
        """Decrypt a data key.

        Raises:
            MasterKeyMissing: the master key is not at hand.
            SecretDamaged: it is not a data key of this tenant.
        """
        return DataKey(tenant, self._unwrap(tenant, wrapped))

    def rewrap(self, tenant: str, wrapped: WrappedKey) -> WrappedKey:
        """Encrypt a data key anew, with the current master key.

        Raises:
            MasterKeyMissing: its master key is not at hand.
            SecretDamaged: it is not a data key of this tenant.
        """
        return self._wrap(tenant, self._unwrap(tenant, wrapped))

    def _wrap(self, tenant: str, key: bytes) -> WrappedKey:
        current = self._master_keys.current
        return WrappedKey(current.id, _seal(_wrapping_key(current, tenant), key, _place("data key", tenant)))

    def _unwrap(self, tenant: str, wrapped: WrappedKey) -> bytes:
        master_key = self._master_keys.find(wrapped.master_key)
        if master_key is None:
            raise MasterKeyMissing(wrapped.master_key)
        try:
            return _open(_wrapping_key(master_key, tenant), wrapped.sealed, _place("data key", tenant))
        except (InvalidTag, ValueError):
            raise SecretDamaged(f"The data key of tenant {tenant} in the database is damaged.") from None


def _wrapping_key(master_key: MasterKey, tenant: str) -> bytes:
    return master_key.derive("tenant data key", tenant)


def _place(*names: str) -> bytes:
    return b"\0".join([_FORMAT, *(name.encode() for name in names)])


def _seal(key: bytes, plain: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, plain, place)


def _open(key: bytes, sealed: bytes, place: bytes) -> bytes:
    if not sealed.startswith(_FORMAT):
        raise ValueError("another format")
    start = len(_FORMAT) + _NONCE_BYTES
    return AESGCM(key).decrypt(sealed[len(_FORMAT) : start], sealed[start:], place)
