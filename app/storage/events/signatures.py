"""Secrets of webhooks, and the signatures made with them (Standard Webhooks)."""

import base64
import hmac
import secrets
from collections.abc import Sequence

from pydantic import SecretStr

from app.storage.events.webhooks import SealedSecrets
from app.tenants.vault import Vault

_PREFIX = "whsec_"
_BYTES = 32
_FIELD = "webhook secret"


def new_secret() -> SecretStr:
    """Return a secret as receivers are given it."""
    return SecretStr(_PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode())


def seal_first(vault: Vault, tenant: str, webhook: str, secret: SecretStr) -> SealedSecrets:
    """Encrypt the secret of a new webhook."""
    wrapped, data_key = vault.create(tenant)
    return SealedSecrets(wrapped, data_key.seal(_FIELD, webhook, secret))


def seal_next(vault: Vault, tenant: str, webhook: str, present: SealedSecrets, secret: SecretStr) -> bytes:
    """Encrypt another secret of a webhook.

    Raises:
        MasterKeyMissing, SecretDamaged: the present ones cannot be read.
    """
    return vault.open(tenant, present.key).seal(_FIELD, webhook, secret)


def open_secrets(vault: Vault, tenant: str, webhook: str, sealed: SealedSecrets) -> list[SecretStr]:
    """Decrypt a webhook's secrets, the present one first.

    Raises:
        MasterKeyMissing, SecretDamaged: they cannot be read.
    """
    key = vault.open(tenant, sealed.key)
    return [key.open(_FIELD, webhook, each) for each in (sealed.secret, sealed.previous) if each is not None]


def signed(webhook_id: str, moment: int, body: bytes, keys: Sequence[SecretStr]) -> dict[str, str]:
    """Return the headers that tell receivers whose a delivery is."""
    content = b".".join([webhook_id.encode(), str(moment).encode(), body])
    signatures = [f"v1,{_signature(key, content)}" for key in keys]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(signatures),
    }


def _signature(key: SecretStr, content: bytes) -> str:
    secret = base64.b64decode(key.get_secret_value().removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
