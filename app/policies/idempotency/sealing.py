"""Records as they stand in a store that others may read: encrypted, and under names that tell no key."""

import hashlib
import hmac
import secrets
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter

from app.policies.idempotency.models import Record, StoreUnavailable
from app.tenants.master_keys import MasterKey

_PREFIX = "umail-gateway:idempotency:"
_NONCE_BYTES = 12


class Sealer:
    """Encrypts and names the records of one master key.

    Args:
        master_key: the root of each tenant's keys.
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._records = TypeAdapter(Record)

    def name(self, tenant: str, key: str) -> str:
        """Return the name under which the record of a tenant's key stands."""
        derived = self._master_key.derive("idempotency-names", tenant)
        return _PREFIX + hmac.new(derived, key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def seal(self, tenant: str, name: str, record: Record) -> bytes:
        """Encrypt a record so that only the same tenant's record of the same name can be read from it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(tenant).encrypt(nonce, self._write(record), name.encode())

    def unseal(self, tenant: str, name: str, sealed: bytes) -> Record:
        """Decrypt a record.

        Raises:
            StoreUnavailable: it was sealed with another key, for another place, or not by this software.
        """
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._read(self._cipher(tenant).decrypt(nonce, encrypted, name.encode()))
        except (InvalidTag, ValueError):
            raise StoreUnavailable("A record of an idempotency key cannot be read.") from None

    def _write(self, record: Record) -> bytes:
        # A line of JSON, and then the body as it is.
        if record.answer is None:
            return self._records.dump_json(record) + b"\n"
        bare = replace(record, answer=replace(record.answer, body=b""))
        return self._records.dump_json(bare) + b"\n" + record.answer.body

    def _read(self, plain: bytes) -> Record:
        line, _, body = plain.partition(b"\n")
        record = self._records.validate_json(line)
        return record if record.answer is None else replace(record, answer=replace(record.answer, body=body))

    def _cipher(self, tenant: str) -> AESGCM:
        return AESGCM(self._master_key.derive("idempotency", tenant))
