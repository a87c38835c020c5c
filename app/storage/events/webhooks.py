"""Webhooks: where tenants want to be told of events, and the secrets that sign what they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.storage.database.statements import Rows, Statement, Steps
from app.tenants.vault import WrappedKey

FIELDS = "id, url, types, description, enabled, disabled_reason, failing_since, previous_until, created_at, updated_at"
_SECRETS = "data_key, master_key, secret, CASE WHEN previous_until > {now} THEN previous_secret ELSE NULL END"
_ADD = (
    "INSERT INTO webhooks (tenant, id, url, types, description, secret, data_key, master_key, enabled, failures,"
    " created_at, updated_at) SELECT :tenant, :id, :url, :types, :description, :secret, :data_key, :master_key, 1, 0,"
    " {now}, {now} WHERE (SELECT count(*) FROM webhooks WHERE tenant = :tenant) < :most"
    f" RETURNING {FIELDS}"
)
_ROTATE = (
    "UPDATE webhooks SET previous_secret = secret, previous_until = {now} + :seconds, secret = :secret,"
    f" updated_at = {{now}} WHERE tenant = :tenant AND id = :id RETURNING {FIELDS}"
)
_ENABLE = ", enabled = 1, disabled_reason = NULL, failing_since = NULL, failures = 0, retry_at = NULL"
_DISABLE = ", enabled = 0, disabled_reason = NULL"


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook without its secrets; times are seconds since 1970."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    failing_since: float | None
    previous_until: float | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """A webhook's secrets as they are kept; the previous one as long as it still signs."""

    key: WrappedKey
    secret: bytes
    previous: bytes | None = None


def adding(
    tenant: str,
    webhook: str,
    url: str,
    types: Sequence[str],
    description: str | None,
    secrets: SealedSecrets,
    *,
    most: int,
) -> Steps[WebhookRecord | None]:
    """Add a webhook; None if the tenant has as many as it may."""
    values = {
        "tenant": tenant,
        "id": webhook,
        "url": url,
        "types": _joined(types),
        "description": description,
        "secret": secrets.secret,
        "data_key": secrets.key.sealed,
        "master_key": secrets.key.master_key,
        "most": most,
    }
    (rows,) = yield [Statement(_ADD, values)]
    return _first(rows)


def listing(tenant: str) -> Steps[list[WebhookRecord]]:
    """Return a tenant's webhooks, oldest first."""
    sql = f"SELECT {FIELDS} FROM webhooks WHERE tenant = :tenant ORDER BY created_at, id"
    (rows,) = yield [Statement(sql, {"tenant": tenant})]
    return [webhook_record(row) for row in rows]


def finding(tenant: str, webhook: str) -> Steps[WebhookRecord | None]:
    """Return one webhook, or None."""
    sql = f"SELECT {FIELDS} FROM webhooks WHERE tenant = :tenant AND id = :id"
    (rows,) = yield [Statement(sql, {"tenant": tenant, "id": webhook})]
    return _first(rows)


def changing(tenant: str, webhook: str, changes: Mapping[str, Any]) -> Steps[WebhookRecord | None]:
    """Change `url`, `types`, `description` or `enabled`; return the webhook, None if there is none."""
    written = {name: _joined(value) if name == "types" else value for name, value in changes.items()}
    enabled = written.pop("enabled", None)
    sets = "".join(f", {name} = :{name}" for name in written)
    if enabled is not None:
        sets += _ENABLE if enabled else _DISABLE
    sql = f"UPDATE webhooks SET updated_at = {{now}}{sets} WHERE tenant = :tenant AND id = :id RETURNING {FIELDS}"
    (rows,) = yield [Statement(sql, {**written, "tenant": tenant, "id": webhook})]
    return _first(rows)


def removing(tenant: str, webhook: str) -> Steps[bool]:
    """Delete a webhook and what is on its way to it; tell whether there was one."""
    about = {"tenant": tenant, "id": webhook}
    gone, _ = yield [
        Statement("DELETE FROM webhooks WHERE tenant = :tenant AND id = :id RETURNING 1", about),
        Statement("DELETE FROM deliveries WHERE tenant = :tenant AND webhook = :id", about),
    ]
    return bool(gone)


def secrets_of(tenant: str, webhook: str) -> Steps[SealedSecrets | None]:
    """Return a webhook's secrets, or None if there is no such webhook."""
    sql = f"SELECT {_SECRETS} FROM webhooks WHERE tenant = :tenant AND id = :id"
    (rows,) = yield [Statement(sql, {"tenant": tenant, "id": webhook})]
    return sealed_secrets(rows[0]) if rows else None


def rotating(tenant: str, webhook: str, secret: bytes, *, seconds: float) -> Steps[WebhookRecord | None]:
    """Give a webhook a new secret; the present one signs beside it for so many seconds."""
    values = {"tenant": tenant, "id": webhook, "secret": secret, "seconds": seconds}
    (rows,) = yield [Statement(_ROTATE, values)]
    return _first(rows)


def under_other_keys(master_key: str, most: int) -> Steps[list[tuple[str, str, WrappedKey]]]:
    """Return webhooks whose data keys are not encrypted with a master key: tenant, id and data key."""
    sql = "SELECT tenant, id, master_key, data_key FROM webhooks WHERE master_key <> :master_key LIMIT :most"
    (rows,) = yield [Statement(sql, {"master_key": master_key, "most": most})]
    return [(tenant, webhook, WrappedKey(key, sealed)) for tenant, webhook, key, sealed in rows]


def rewrapping(tenant: str, webhook: str, before: WrappedKey, after: WrappedKey) -> Steps[None]:
    """Replace a webhook's data key by the same one under another master key."""
    sql = (
        "UPDATE webhooks SET data_key = :data_key, master_key = :master_key"
        " WHERE tenant = :tenant AND id = :id AND master_key = :before"
    )
    values = {"data_key": after.sealed, "master_key": after.master_key, "before": before.master_key}
    yield [Statement(sql, {**values, "tenant": tenant, "id": webhook})]


def sealed_secrets(row: Sequence[Any]) -> SealedSecrets:
    """Return the secrets in the columns that `secret_columns` names."""
    data_key, master_key, secret, previous = row
    return SealedSecrets(
        WrappedKey(master_key, bytes(data_key)), bytes(secret), None if previous is None else bytes(previous)
    )


def _joined(types: Sequence[str]) -> str:
    return f"|{'|'.join(types)}|"


def _first(rows: Rows) -> WebhookRecord | None:
    return webhook_record(rows[0]) if rows else None


def webhook_record(row: Sequence[Any]) -> WebhookRecord:
    """Return the webhook in the columns that `FIELDS` names."""
    name, url, types, description, enabled, *rest = row
    return WebhookRecord(name, url, tuple(types.strip("|").split("|")), description, bool(enabled), *rest)
