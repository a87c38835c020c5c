"""Keys derived from the operator's master key, one per purpose and tenant, and fingerprints made with them."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from functools import cached_property

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
        """Return the key with an id, or None."""
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
