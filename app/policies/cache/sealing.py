"""How entries stand in the shared store: under names that tell nothing, and encrypted."""

import json
import secrets
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.policies.cache.model import CacheEntry, Stamp, Windows
from app.tenants.vault import MasterKey

FORMAT = b"2"
_NONCE_BYTES = 12
_NAME_BYTES = 16
_TENANTS_REMEMBERED = 4096


class Unsealable(Exception):
    """An entry is not what the gateway wrote under that key."""


@dataclass(frozen=True, slots=True, repr=False)
class Sealer:
    """Encrypts and decrypts the entries of one tenant (AES-256-GCM, a random nonce each)."""

    name: str
    cipher: AESGCM

    def seal(self, key: str, entry: CacheEntry, stamp: Stamp) -> bytes:
        """Return an entry and the versions it was read under as bytes that can be read under `key` only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self.cipher.encrypt(nonce, _encode(entry, stamp), _bound_to(key))

    def open(self, key: str, sealed: bytes) -> tuple[CacheEntry, Stamp]:
        """Return what was sealed under `key`.

        Raises:
            Unsealable: it was not sealed under this key, for this tenant, or with this master key.
        """
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return _decode(self.cipher.decrypt(nonce, encrypted, _bound_to(key)))
        except (InvalidTag, ValueError):
            raise Unsealable(key) from None


class Sealers:
    """Derives each tenant's name and cipher from the master key, and remembers them."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self.of = lru_cache(_TENANTS_REMEMBERED)(self._derive)

    def _derive(self, tenant: str) -> Sealer:
        name = self._master_key.derive("cache name", tenant)[:_NAME_BYTES].hex()
        return Sealer(name, AESGCM(self._master_key.derive("cache", tenant)))


def _bound_to(key: str) -> bytes:
    return FORMAT + b"\0" + key.encode()


def _encode(entry: CacheEntry, stamp: Stamp) -> bytes:
    windows = entry.windows
    head = {
        "found": entry.found,
        "etag": entry.etag,
        "headers": entry.headers,
        "windows": (windows.fresh, windows.stale_while_revalidate, windows.stale_if_error),
        "stored_at": entry.stored_at,
        "stamp": [version.hex() for version in stamp],
    }
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + entry.body


def _decode(content: bytes) -> tuple[CacheEntry, Stamp]:
    head, _, body = content.partition(b"\n")
    fields = json.loads(head)
    entry = CacheEntry(
        found=fields["found"],
        body=body,
        etag=fields["etag"],
        headers=tuple((name, value) for name, value in fields["headers"]),
        windows=Windows(*fields["windows"]),
        stored_at=fields["stored_at"],
    )
    return entry, tuple(map(bytes.fromhex, fields["stamp"]))
