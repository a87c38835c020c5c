"""Encryption of tenants' secrets: each under a key of its tenant, and that key under a master key.

Everything is AES-256-GCM with a random nonce and begins with the number of this format. What is encrypted is bound to
its place: a secret moved to another tenant or field, a data key moved to another tenant, or a password whose host was
edited in the database cannot be decrypted there.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from app.errors import DatabaseError
from app.tenants.models import Tenant, UpstreamAccount

_BYTES = 32
_ID_BYTES = 8
_NO_SALT = bytes(_BYTES)
_BETWEEN = re.compile(r"[,\s]+")


class MasterKey:
    """The root of every key the gateway derives; its repr shows nothing."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """Read a key as `umail-gateway keys generate-master` writes it: base64 of 32 bytes.

        Raises:
            ValueError: it is not that.
        """
        try:
            secret = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("must be base64 (RFC 4648, either alphabet)") from None
        if len(secret) != _BYTES:
            raise ValueError(f"must be {_BYTES} bytes in base64")
        return cls(secret)

    @classmethod
    def random(cls) -> "MasterKey":
        """Return a key that dies with the process, for state that does too."""
        return cls(secrets.token_bytes(_BYTES))

    @cached_property
    def id(self) -> str:
        """A name that tells master keys apart and from which the key cannot be found."""
        return self.derive("master key id", "")[:_ID_BYTES].hex()

    def derive(self, purpose: str, tenant: str) -> bytes:
        """Return 32 bytes for one purpose and one tenant (HKDF, RFC 5869); others tell nothing about them."""
        info = f"umail-gateway\0{purpose}\0{tenant}".encode()
        # Written out, because it is two lines and the library that has it takes 6 MB to load. One block is enough:
        # what is wanted is as long as the hash.
        extracted = hmac.digest(_NO_SALT, self._secret, "sha256")
        return hmac.digest(extracted, info + b"\x01", "sha256")


class MasterKeys:
    """The master keys of a gateway: one that everything new is encrypted with, and others that are still read."""

    def __init__(self, current: MasterKey, *others: MasterKey) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (current, *others)}

    @classmethod
    def parse(cls, text: str) -> "MasterKeys":
        """Read keys as `MasterKey.parse` does, separated by commas or ends of lines; the first is the current one.

        Raises:
            ValueError: there is none, or one of them is not a key.
        """
        keys = [MasterKey.parse(each) for each in _BETWEEN.split(text) if each]
        if not keys:
            raise ValueError("must hold a master key")
        return cls(*keys)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self._by_id)

    def find(self, key_id: str) -> MasterKey | None:
        return self._by_id.get(key_id)


def generate_master_key() -> str:
    """Return a new master key in the form `MasterKey.parse` reads."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


_MOST = 20_000


class Fingerprints:
    """Computes a keyed hash of a tenant's U-Mail login and remembers it as long as the login stays the same."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._known: dict[str, tuple[UpstreamAccount, str]] = {}

    def of(self, tenant: Tenant) -> str:
        """Return the fingerprint of where and as whom a tenant logs in."""
        known = self._known.get(tenant.id)
        if known is not None and known[0] is tenant.upstream:
            return known[1]
        if len(self._known) >= _MOST:
            self._known.clear()
        computed = self._compute(tenant)
        self._known[tenant.id] = tenant.upstream, computed
        return computed

    def _compute(self, tenant: Tenant) -> str:
        account = tenant.upstream
        login = "\0".join([account.base_url, account.auth, account.username, account.password.get_secret_value()])
        key = self._master_key.derive("credentials", tenant.id)
        return hmac.new(key, login.encode(), hashlib.sha256).hexdigest()


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
