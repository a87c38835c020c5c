"""Between rows of the database and what the code works with."""

from typing import Any

from pydantic import SecretStr, TypeAdapter
from sqlalchemy import Row

from app.storage.tenants.models import KeyRecord, Login, Relay, TenantRecord
from app.tenants.models import ApiKey, EventRules, SendRules, SmtpAccount, Tenant, UpstreamAccount
from app.tenants.vault import DataKey, Vault, WrappedKey

PASSWORD, STAGED_PASSWORD, SMTP_PASSWORD = "password", "staged password", "SMTP password"
_KEY_FIELDS = ("id", "sha256", "scopes", "requests_per_minute", "expires_at", "networks", "subject")
_TENANTS = TypeAdapter(Tenant)
_KEYS = TypeAdapter(ApiKey)


def wrapped_key(row: Row[Any]) -> WrappedKey:
    """Return the data key in a row of `tenants`."""
    return WrappedKey(row.master_key, row.data_key)


def tenant_columns(tenant: Tenant, vault: Vault) -> dict[str, Any]:
    """Return what a new row of `tenants` says of a tenant, its secrets under a data key of their own."""
    wrapped, data_key = vault.create(tenant.id)
    return {
        "id": tenant.id,
        "name": tenant.name,
        "enabled": tenant.enabled,
        "role": tenant.role,
        "limits": tenant.limits.model_dump(),
        "sends": tenant.sends.model_dump(),
        "events": tenant.events.model_dump(),
        "cache": tenant.cache,
        "data_key": wrapped.sealed,
        "master_key": wrapped.master_key,
        **login_columns(tenant.upstream, data_key),
        **relay_columns(tenant.smtp, data_key),
    }


def login_columns(login: UpstreamAccount, data_key: DataKey) -> dict[str, Any]:
    """Return the columns of a tenant's present login."""
    return {"upstream": _plain(login), "password": _seal_login(PASSWORD, login, data_key)}


def staged_columns(login: UpstreamAccount | None, data_key: DataKey) -> dict[str, Any]:
    """Return the columns of a tenant's staged login."""
    if login is None:
        return {"staged": None, "staged_password": None}
    return {"staged": _plain(login), "staged_password": _seal_login(STAGED_PASSWORD, login, data_key)}


def relay_columns(relay: SmtpAccount | None, data_key: DataKey) -> dict[str, Any]:
    """Return the columns of a tenant's SMTP relay."""
    if relay is None:
        return {"smtp": None, "smtp_password": None}
    plain = _plain(relay)
    sealed = None if relay.password is None else data_key.seal(SMTP_PASSWORD, _relay_target(plain), relay.password)
    return {"smtp": plain, "smtp_password": sealed}


def _seal_login(field: str, login: UpstreamAccount, data_key: DataKey) -> bytes:
    return data_key.seal(field, login.base_url, login.password)


def _relay_target(relay: dict[str, Any]) -> str:
    return f"{relay['host']}:{relay['port']}"


def _plain(account: UpstreamAccount | SmtpAccount) -> dict[str, Any]:
    return account.model_dump(exclude={"password"})


def tenant_record(row: Row[Any]) -> TenantRecord:
    """Return what may be shown of a row of `tenants`."""
    return TenantRecord(
        id=row.id,
        name=row.name,
        enabled=row.enabled,
        role=row.role,
        upstream=Login(**row.upstream),
        staged=Login(**row.staged) if row.staged else None,
        smtp=Relay(**row.smtp) if row.smtp else None,
        limits=row.limits,
        sends=SendRules.model_validate(row.sends or {}),
        events=EventRules.model_validate(row.events or {}),
        cache=row.cache,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def opened_tenant(row: Row[Any], vault: Vault) -> Tenant:
    """Return the tenant in a row of `tenants`, decrypted and without keys."""
    data_key = vault.open(row.id, wrapped_key(row))
    return _TENANTS.validate_python(
        {
            "id": row.id,
            "name": row.name,
            "enabled": row.enabled,
            "role": row.role,
            "upstream": {**row.upstream, "password": _open_login(PASSWORD, row.upstream, row.password, data_key)},
            "smtp": _opened_relay(row, data_key),
            "limits": row.limits,
            "sends": row.sends or {},
            "events": row.events or {},
            "cache": row.cache,
        }
    )


def opened_staged(row: Row[Any], vault: Vault) -> UpstreamAccount:
    """Return the staged login in a row of `tenants` that has one; raises as `opened_tenant`."""
    data_key = vault.open(row.id, wrapped_key(row))
    password = _open_login(STAGED_PASSWORD, row.staged, row.staged_password, data_key)
    return UpstreamAccount(**row.staged, password=password)


def _open_login(field: str, login: dict[str, Any], sealed: bytes, data_key: DataKey) -> SecretStr:
    return data_key.open(field, str(login["base_url"]), sealed)


def _opened_relay(row: Row[Any], data_key: DataKey) -> dict[str, Any] | None:
    if row.smtp is None:
        return None
    if row.smtp_password is None:
        return dict(row.smtp)
    return {**row.smtp, "password": data_key.open(SMTP_PASSWORD, _relay_target(row.smtp), row.smtp_password)}


def key_record(row: Row[Any]) -> KeyRecord:
    """Return what may be shown of a row of `api_keys`."""
    fields = row._asdict()
    return KeyRecord(**{name: fields[name] for name in KeyRecord.model_fields})


def api_key(fields: dict[str, Any]) -> ApiKey:
    """Return the key in the columns of a row of `api_keys`."""
    return _KEYS.validate_python({name: fields[name] for name in _KEY_FIELDS})
