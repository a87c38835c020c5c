"""Keys derived from the operator's master key, one per purpose and tenant."""

import base64
import binascii
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_BYTES = 32


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

    def derive(self, purpose: str, tenant: str) -> bytes:
        """Return 32 bytes for one purpose and one tenant (HKDF, RFC 5869); others tell nothing about them."""
        info = f"umail-gateway\0{purpose}\0{tenant}".encode()
        return HKDF(SHA256(), _BYTES, salt=None, info=info).derive(self._secret)


def generate_master_key() -> str:
    """Return a new master key in the form `MasterKey.parse` reads."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()
