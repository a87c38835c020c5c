"""What administrators say and see of tenants and keys; nothing here shows a secret but `CreatedKey`, once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr

from app.tenants.models import Identifier, Lifetimes, Limits, Line, Network, Role, Scope, SmtpAccount

T = TypeVar("T")


class _Model(BaseModel):
    # Inputs stay out of validation messages: they may be passwords.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Login(_Model):
    """Where and as whom a tenant logs in at U-Mail, without the password."""

    base_url: str
    auth: Literal["basic", "legacy"]
    username: str


class Relay(_Model):
    """A tenant's SMTP relay, without the password."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None


class TenantRecord(_Model):
    """A tenant as it is kept, without its secrets.

    `staged` is a login that waits to be confirmed; `revision` grows with every change of the tenant.
    """

    id: str
    name: str
    enabled: bool
    role: Role
    upstream: Login
    staged: Login | None
    smtp: Relay | None
    limits: Limits
    cache: Lifetimes
    revision: int
    created_at: datetime
    updated_at: datetime


class TenantPatch(_Model):
    """What is to change of a tenant: the fields that are set.

    The U-Mail login is not among them: it is changed as a whole, so that a password is never sent to a host that it was
    not given for; `TenantRepository.stage` does it. For the same reason `smtp` replaces the whole relay, password
    included; None removes it.
    """

    name: Line = ""
    enabled: bool = True
    role: Role = "customer"
    smtp: SmtpAccount | None = None
    limits: Limits = Limits()
    cache: Lifetimes = Field(default_factory=dict)


class NewKey(_Model):
    """A key to be made; without an id it gets one."""

    id: Identifier | None = None
    scopes: Annotated[frozenset[Scope], Field(min_length=1, json_schema_extra={"uniqueItems": False})]
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    expires_at: AwareDatetime | None = None
    networks: tuple[Network, ...] = ()


class KeyRecord(_Model):
    """An API key as it is kept.

    `prefix` is how it begins, by which people recognize it; `last_used_at` is exact to some minutes.
    """

    tenant: str
    id: str
    prefix: str
    scopes: frozenset[Scope]
    requests_per_minute: int | None
    expires_at: datetime | None
    networks: tuple[IPvAnyNetwork, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key: what it is, which nobody can find out again, and what is kept of it."""

    key: SecretStr
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a collection's items, and how many there are in all."""

    items: tuple[T, ...]
    total: int
