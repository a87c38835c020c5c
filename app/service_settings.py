"""Settings of the service: what it keeps where, who may come in, and what it tells."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.setting_types import (
    IN_DATABASE,
    IN_MEMORY,
    Algorithms,
    AuditTarget,
    DatabaseUrl,
    JwksUrl,
    MasterKeyFile,
    MasterKeyText,
    Networks,
    Origins,
    OtlpEndpoint,
    OtlpHeaders,
    RootPath,
    Seconds,
    StateUrl,
    TenantsUrl,
    header_fields,
)


class ServiceSettings(BaseSettings):
    """The first half of the settings."""

    model_config = SettingsConfigDict(
        env_prefix="UMAIL_GATEWAY_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    tenants_url: TenantsUrl = Field(
        IN_DATABASE,
        description="Where tenants and keys come from: the `database`, where `umail-gateway tenants` and `keys` change"
        " them, or `file:/path/to/tenants.yaml`, read again whenever it changes.",
    )
    state_url: StateUrl = Field(
        SecretStr(IN_MEMORY),
        description="Where cache, limits, locks and idempotency keys are kept: `memory://` for one process only, or"
        " `redis://…` (Valkey or Redis) for several workers and replicas.",
    )
    state_timeout: Seconds = Field(
        0.2, description="Seconds to wait for the state's store; then a request goes on without it, or is refused."
    )
    database_url: DatabaseUrl | None = Field(
        None,
        description="Where tenants and the journal of sends are kept: `sqlite:///path/gateway.db` or `postgresql://…`;"
        " by default a SQLite file under `DATA_DIR`.",
    )
    data_dir: Path = Field(
        Path("~/.local/share/umail-gateway"),
        description="Folder of the SQLite file and of a master key made at the first start; made if it is not there.",
    )
    journal_days: int = Field(
        90, ge=2, description="Days for which the journal of sends remembers attempts, and usage is told."
    )
    master_key: MasterKeyText | None = Field(
        None,
        description="32 bytes in base64, as `umail-gateway keys generate-master` prints them; tenants' secrets and what"
        " is kept in a shared store are encrypted with keys derived from it. Several, separated by commas, while they"
        " are rotated: the first encrypts, the others only decrypt. Needed with `redis://` and with a `DATABASE_URL`"
        " that holds tenants; without that one is made at the first start.",
    )
    master_key_file: MasterKeyFile | None = Field(
        None, description="File that holds what `MASTER_KEY` would, one key a line; only one of the two may be set."
    )
    admin_token: SecretStr | None = Field(
        None,
        min_length=32,
        description="Bearer token of `/admin/v1`, at least 32 characters; without it there is none.",
    )
    jwt_issuer: str | None = Field(
        None, description="Whose tokens (JWT) are taken in the place of API keys; with `JWT_AUDIENCE`, `JWT_JWKS_URL`."
    )
    jwt_audience: str | None = Field(None, description="What these tokens must name as their audience.")
    jwt_jwks_url: JwksUrl | None = Field(None, description="Where the issuer's public keys are (JWKS).")
    jwt_jwks_lifetime: Seconds = Field(600.0, description="Seconds after which these keys are fetched again.")
    jwt_algorithms: Algorithms = Field(
        "RS256,ES256", description="How tokens may be signed, with commas between; never with a shared secret."
    )
    jwt_tenant_claim: str = Field("tenant", min_length=1, description="Claim of a token that names the tenant's id.")
    jwt_scope_claim: str = Field(
        "scope", min_length=1, description="Claim that names scopes, as text with blanks between or as a list."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    management_host: str = Field("127.0.0.1", description="Address for `MANAGEMENT_PORT` to listen on.")
    management_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port for `/admin` and `/metrics` alone, which `PORT` then does not answer; `/healthz` and"
        " `/readyz` are on both.",
    )
    trusted_proxies: Networks | None = Field(
        None,
        description="Networks of the proxies in front of the gateway, with commas between; only what they say of a"
        " client's address is believed.",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="Header in which these proxies say so; `forwarded` is RFC 7239's."
    )
    root_path: RootPath | None = Field(
        None,
        description="Path below which clients reach the gateway, like `/umail`, where a proxy takes it off; trusted"
        " proxies may say it in `X-Forwarded-Prefix` instead.",
    )
    lockout_failures: int = Field(
        20, ge=1, description="Wrong keys from one address, IPv6 by /64, after which no others are looked at."
    )
    lockout_window: Seconds = Field(60.0, description="Seconds over which they are counted, and until that is over.")
    mcp_enabled: bool = Field(
        True, description="Whether agents find tools at `/mcp` (Model Context Protocol); loaded when first asked."
    )
    cors_origins: Origins | None = Field(
        None,
        description="Origins whose web pages may use the API, with commas between, or `*` alone for all; by default"
        " none.",
    )
    audit_log: AuditTarget = Field(
        "stdout", description="Where changes and what operators do are recorded: `stdout`, an absolute path, or `off`."
    )
    audit_addresses: Literal["hashed", "plain"] = Field(
        "hashed",
        description="How e-mail addresses stand there; the hashes' keys are derived from `MASTER_KEY`, and last only as"
        " long as the process without one.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="How log lines are written: `console` for people, `json`, or `auto`: by whether it is a terminal.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log level.")
    metrics_tenants: int = Field(
        50, ge=0, le=1000, description="Tenants that have metrics of their own, the first ones seen; others share some."
    )
    otlp_endpoint: OtlpEndpoint | None = Field(
        None,
        description="Where traces go by OTLP (http/protobuf): a collector's URL without `/v1/traces`; by default"
        " nowhere.",
    )
    otlp_headers: OtlpHeaders | None = Field(
        None, description="Headers that it wants, like `authorization=Bearer%20…`, with commas between."
    )
    otlp_logs: bool = Field(False, description="Whether log lines go to the collector, too.")
    trace_sampling: float = Field(
        1.0, ge=0, le=1, description="Share of the requests that are traced, of those whose `traceparent` does not say."
    )

    @model_validator(mode="after")
    def _encrypted_when_shared(self) -> Self:
        if self.shares_state and self.master_key is None and self.master_key_file is None:
            raise ValueError("MASTER_KEY is needed where STATE_URL names a shared store")
        return self

    @model_validator(mode="after")
    def _one_master_key(self) -> Self:
        if self.master_key is not None and self.master_key_file is not None:
            raise ValueError("MASTER_KEY and MASTER_KEY_FILE are both set")
        return self

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.management_port == self.port:
            raise ValueError("MANAGEMENT_PORT must be another port than PORT")
        return self

    @model_validator(mode="after")
    def _tokens_in_full(self) -> Self:
        given = [self.jwt_issuer, self.jwt_audience, self.jwt_jwks_url]
        if any(given) and not all(given):
            raise ValueError("JWT_ISSUER, JWT_AUDIENCE and JWT_JWKS_URL are needed together")
        return self

    def otlp_header_fields(self) -> dict[str, str]:
        """Return the headers of what is sent to the collector; they are secret."""
        return header_fields(self.otlp_headers.get_secret_value()) if self.otlp_headers else {}

    @property
    def shares_state(self) -> bool:
        """Whether state is kept where other processes have it too."""
        return self.state_url.get_secret_value() != IN_MEMORY

    @property
    def tenants_in_database(self) -> bool:
        """Whether tenants and keys are kept in the database."""
        return self.tenants_url == IN_DATABASE

    def database(self) -> str:
        """Return the URL of the database, the default one's included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.expanduser().absolute() / 'gateway.db'}"
