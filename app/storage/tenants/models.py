"""What administrators say and see of tenants and keys; nothing here shows a secret but `CreatedKey`, once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr

from app.tenants.models import (
    EventRules,
    Identifier,
    Lifetimes,
    Limits,
    Line,
    LoginMethod,
    Network,
    RelaySecurity,
    Scope,
    SendRules,
    SmtpAccount,
    TenantRole,
)

T = TypeVar("T")


class RepositoryError(Exception):
    """A change of tenants or keys was refused; nothing was changed. The text says why, for the operator."""


class Missing(RepositoryError):
    """There is no such tenant, key, or staged login."""


class RevisionConflict(RepositoryError):
    """The id is in use, or somebody else has changed the tenant meanwhile."""


class _Model(BaseModel):
    # Inputs stay out of validation messages: they may be passwords.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Login(_Model):
    """Where and as whom a tenant logs in at U-Mail, without the password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"base_url": "http://www.bestedm.org/mm-ms/apinew/", "auth": "basic", "username": "acme"}]
        }
    )

    base_url: Annotated[str, Field(description="The platform's URL.")]
    auth: Annotated[LoginMethod, Field(description="`basic`, or `legacy`: an MD5 of the password in the query.")]
    username: Annotated[str, Field(description="The user at U-Mail.")]


class Relay(_Model):
    """A tenant's SMTP relay, without the password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"host": "smtp.bestedm.org", "port": 2525, "security": "none", "username": "news@acme.example"}
            ]
        }
    )

    host: Annotated[str, Field(description="The relay's host.")]
    port: Annotated[int, Field(description="The relay's port.")]
    security: Annotated[
        RelaySecurity,
        Field(description="Whether the connection is encrypted: not at all, after STARTTLS, or from the start."),
    ]
    username: Annotated[str | None, Field(description="The mailbox it logs in as; null for no login.")]


class TenantRecord(_Model):
    """A tenant as it is kept, without its secrets.

    `staged` is a login that waits to be confirmed; `revision` grows with every change of the tenant.
    """

    id: str
    name: str
    enabled: bool
    role: TenantRole
    upstream: Login
    staged: Login | None
    smtp: Relay | None
    limits: Limits
    sends: SendRules
    events: EventRules
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

    name: Annotated[Line, Field(description="What people call it.")] = ""
    enabled: Annotated[bool, Field(description="Whether its keys are accepted.")] = True
    role: Annotated[
        TenantRole, Field(description="What its U-Mail account is; a manager may act for sub-accounts.")
    ] = "customer"
    smtp: Annotated[SmtpAccount | None, Field(description="The whole SMTP relay; null removes it.")] = None
    limits: Annotated[Limits, Field(description="All its ceilings.")] = Limits()
    sends: Annotated[SendRules, Field(description="All it demands before a campaign goes out.")] = SendRules()
    events: Annotated[EventRules, Field(description="Whether and how its account is watched.")] = EventRules()
    cache: Lifetimes = Field(
        default_factory=dict,
        description="Seconds for which answers are kept, by operation; `*` stands for all others, 0 keeps nothing.",
    )


class NewKey(_Model):
    """A key to be made; without an id it gets one."""

    id: Annotated[Identifier | None, Field(description="The key's id; one is made up where it is null.")] = None
    scopes: Annotated[
        frozenset[Scope],
        Field(min_length=1, description="What the key may do.", json_schema_extra={"uniqueItems": False}),
    ]
    requests_per_minute: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000_000)] | None,
        Field(description="A ceiling of the key's own beside the tenant's."),
    ] = None
    expires_at: Annotated[AwareDatetime | None, Field(description="When the key ends; null for never.")] = None
    networks: Annotated[
        tuple[Network, ...], Field(description="Where it may be used from; anywhere if there are none.")
    ] = ()
    subject: Annotated[
        Line | None,
        Field(description="Who uses it; keys of one subject are one person. Null for the key itself."),
    ] = None


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
    subject: str | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key: what it is, which nobody can find out again, and what is kept of it."""

    key: SecretStr
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class RepositoryPage(Generic[T]):
    """Some of a collection's items, and how many there are in all."""

    items: tuple[T, ...]
    total: int
