"""The gateway's settings, from `UMAIL_GATEWAY_…` environment variables and `.env`."""

import ssl
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, FilePath
from pydantic_settings import BaseSettings, SettingsConfigDict


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone of the IANA database") from None
    return value


def _tenants_url(value: str) -> str:
    if not value.startswith("file:"):
        raise ValueError("must be file:/path/to/tenants.yaml")
    return value


def _state_url(value: str) -> str:
    if value != "memory://":
        raise ValueError("must be memory://")
    return value


def _ca_file(value: Path) -> Path:
    try:
        ssl.create_default_context(cafile=value)
    except ssl.SSLError:
        raise ValueError("is not a PEM file of certificates") from None
    return value


Seconds = Annotated[float, Field(gt=0, le=3600)]
Bytes = Annotated[int, Field(ge=1024)]


class Settings(BaseSettings):
    """Every setting; its description here is the one in the README."""

    model_config = SettingsConfigDict(
        env_prefix="UMAIL_GATEWAY_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    tenants_url: Annotated[str, AfterValidator(_tenants_url)] = Field(
        description="Where tenants and keys come from: `file:/path/to/tenants.yaml`, read again whenever it changes.",
    )
    state_url: Annotated[str, AfterValidator(_state_url)] = Field(
        "memory://", description="Where state is shared: `memory://` keeps it in the one process."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log level.")
    upstream_timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "Asia/Shanghai", description="Zone of the platform's local times."
    )
    upstream_connections: int = Field(100, ge=1, description="Connections to the platform, all tenants together.")
    connect_timeout: Seconds = Field(5.0, description="Seconds to wait for a connection to the platform.")
    interactive_timeout: Seconds = Field(15.0, description="Seconds a read may take in all.")
    write_timeout: Seconds = Field(30.0, description="Seconds a change may take in all.")
    export_timeout: Seconds = Field(600.0, description="Seconds an export may take in all.")
    export_idle_timeout: Seconds = Field(
        30.0, description="Seconds to wait for the next bytes of an export; waiting for the client does not count."
    )
    upload_timeout: Seconds = Field(300.0, description="Seconds an upload may take in all.")
    smtp_connect_timeout: Seconds = Field(15.0, description="Seconds to wait for a tenant's SMTP relay to greet.")
    smtp_reply_timeout: Seconds = Field(30.0, description="Seconds to wait for a relay's reply to a command.")
    smtp_timeout: Seconds = Field(120.0, description="Seconds the submission of a message may take in all.")
    smtp_idle_timeout: Seconds = Field(15.0, description="Seconds a relay connection is kept for the next message.")
    smtp_connections: int = Field(5, ge=1, description="Relay connections of one tenant at once; more messages wait.")
    smtp_ca_file: Annotated[FilePath, AfterValidator(_ca_file)] | None = Field(
        None, description="PEM file of authorities to trust for relays with TLS, beside the system's."
    )
    max_body_bytes: Bytes = Field(10 * 1024 * 1024, description="Largest request body, except of an import.")
    max_import_bytes: Bytes = Field(1024 * 1024 * 1024, description="Largest body of an import.")
    max_import_rows: int = Field(2_000_000, ge=1, description="Most rows of an import; each takes 8 bytes of memory.")
    import_idle_timeout: Seconds = Field(30.0, description="Seconds for which the body of an import may pause.")
    import_wait_max: int = Field(60, ge=0, le=3600, description="Most seconds that `Prefer: wait` may wait.")
    import_poll_interval: Seconds = Field(
        0.5, description="Seconds after which a waited-for import is first looked at again; they grow up to 5."
    )
    max_reply_bytes: Bytes = Field(16 * 1024 * 1024, description="Largest platform reply read into memory.")
    max_record_length: int = Field(
        65_536, ge=1024, description="Most characters of one record or line of an export, whose size has no limit."
    )
    shutdown_timeout: int = Field(30, ge=1, description="Seconds that requests under way get to finish on shutdown.")
