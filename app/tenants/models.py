"""Tenants, their U-Mail credentials, and the API keys that stand for them."""

import hashlib
import ipaddress
import re
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

import httpx2
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType


class Scope(StrEnum):
    """What an API key may do."""

    READ = "read"
    WRITE = "write"
    DRAFT = "draft"
    SEND = "send"
    MANAGE = "manage"
    WEBHOOKS = "webhooks"


def effective_scopes(granted: frozenset[Scope]) -> frozenset[Scope]:
    """Return what a key may do: whoever may send may also draft."""
    return granted | {Scope.DRAFT} if Scope.SEND in granted else granted


_UNUSABLE = re.compile(r"[\x00-\x20\x7f-\xa0]")
_BASE_URL = r"^[hH][tT][tT][pP][sS]?://([^\u0000-\u0020\u007f-\u00a0/?#@\\:\[\]]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\u0000-\u0020\u007f-\u00a0?#]*)?$"
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def _port_of(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return 0


@lru_cache(1000)
def _base_url(value: str) -> str:
    try:
        # The client, too, must take it: it knows which names and addresses cannot be.
        httpx2.URL(value)
        parts = urlsplit(value)
    except (httpx2.InvalidURL, ValueError):
        raise PydanticCustomError("base_url", "must be a URL") from None
    if _UNUSABLE.search(value) or _port_of(parts) == 0:
        raise PydanticCustomError("base_url", "must be a usable URL: no spaces, and a port between 1 and 65535")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PydanticCustomError("base_url", "must be an absolute http or https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PydanticCustomError("base_url", "must not carry credentials, a query or a fragment")
    return value if value.endswith("/") else f"{value}/"


def _written(value: object) -> object:
    # The library would take numbers, and with them true and false, for addresses.
    if isinstance(value, int):
        raise PydanticCustomError("ip_any_network", "must be a network, written as text")
    return value


def _not_of_nothing(value: str) -> str:
    if value == _EMPTY_SHA256:
        raise ValueError("is the hash of an empty key")
    return value


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, so that what is sent to it crosses no network."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text that neither moves a terminal's cursor nor ends a log's line."""
TenantRole = TypeAliasType(
    "TenantRole",
    Annotated[
        Literal["customer", "manager"],
        Field(description="What a U-Mail account is; a manager may act for sub-accounts."),
    ],
)
LoginMethod = TypeAliasType(
    "LoginMethod", Annotated[Literal["basic", "legacy"], Field(description="How to log in at U-Mail.")]
)
RelaySecurity = TypeAliasType(
    "RelaySecurity",
    Annotated[
        Literal["none", "starttls", "tls"],
        Field(description="Whether a relay is spoken to in the clear, after STARTTLS, or over TLS."),
    ],
)
Network = Annotated[IPvAnyNetwork, BeforeValidator(_written)]


class _Model(BaseModel):
    # Inputs stay out of validation messages: they may be passwords.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class UpstreamAccount(_Model):
    """Where the tenant's U-Mail account lives and how to log in (manual, chapter 9)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"base_url": "http://www.bestedm.org/mm-ms/apinew/", "username": "acme", "password": "secret"}]
        }
    )

    base_url: Annotated[
        str,
        AfterValidator(_base_url),
        Field(description="The platform's URL.", json_schema_extra={"pattern": _BASE_URL}),
    ] = "http://www.bestedm.org/mm-ms/apinew/"
    auth: Annotated[LoginMethod, Field(description="`basic`, or `legacy`: an MD5 of the password in the query.")] = (
        "basic"
    )
    username: Annotated[Line, Field(description="The user at U-Mail.")]
    password: Annotated[SecretStr, Field(min_length=1, description="The user's password.")]

    @model_validator(mode="after")
    def _basic_user(self) -> Self:
        if self.auth == "basic" and ":" in self.username:
            raise PydanticCustomError("username_colon", "a username for basic authentication has no colon (RFC 7617)")
        return self

    @property
    def sends_password_in_clear(self) -> bool:
        """Whether the password crosses a network unencrypted."""
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


class SmtpAccount(_Model):
    """The tenant's SMTP relay (manual, chapter 10); its login is a sender mailbox, not the API user."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"host": "smtp.bestedm.org", "port": 2525, "username": "news@acme.example", "password": "secret"}
            ]
        }
    )

    host: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\s/@]+$"), Field(description="The relay's host.")]
    port: Annotated[int, Field(ge=1, le=65535, description="The relay's port.")] = 25
    security: Annotated[
        RelaySecurity,
        Field(description="Whether the connection is encrypted: not at all, after STARTTLS, or from the start."),
    ] = "none"
    username: Annotated[Line | None, Field(description="The mailbox to log in as; null for no login.")] = None
    password: Annotated[SecretStr | None, Field(description="The mailbox's password.")] = None

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise PydanticCustomError("incomplete_login", "username and password go together")
        return self


class Limits(_Model):
    """Ceilings of one tenant: requests a minute, concurrent requests, campaigns an hour."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"requests_per_minute": 600, "concurrency": 20, "campaigns_per_hour": 100}]}
    )

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000, description="Requests a minute.")] = 600
    concurrency: Annotated[int, Field(ge=1, le=1_000_000, description="Calls to the platform at once.")] = 20
    campaigns_per_hour: Annotated[
        int, Field(ge=1, le=100, description="New campaigns an hour; the platform takes 100.")
    ] = 100


class SendRules(_Model):
    """What a tenant demands before a campaign goes out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"require_preflight": False, "two_persons": False}]})

    require_preflight: Annotated[
        bool, Field(description="Whether a campaign needs the ticket of a preflight to be created.")
    ] = False
    two_persons: Annotated[
        bool,
        Field(description="Whether a campaign is released by another person than the one who made or last edited it."),
    ] = False


class EventRules(_Model):
    """Whether the tenant's account is watched for events, and how often the platform may be asked for that."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True, "requests_per_minute": 60}]})

    enabled: Annotated[bool, Field(description="Whether it is watched even if nobody reads events.")] = False
    requests_per_minute: Annotated[
        int, Field(ge=1, le=6000, description="Requests a minute that watching may cost.")
    ] = 60


Lifetimes = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]+\.[a-z_]+)$")],
        Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)],
    ],
    Field(json_schema_extra={"additionalProperties": False}),
]
"""Seconds for which answers are kept, by operation (`lists.list`); `*` stands for all others, 0 keeps nothing."""


class ApiKey(_Model):
    """An API key as stored: the SHA-256 of the whole key in hex, never the key."""

    id: Identifier
    sha256: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True), AfterValidator(_not_of_nothing)
    ]
    scopes: frozenset[Scope]
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    expires_at: AwareDatetime | None = None
    networks: tuple[Network, ...] = ()
    """Where the key may be used from; anywhere if there are none."""
    subject: Line | None = None
    """The person or service that uses the key; keys of one subject are one person. By default the key itself."""


class TenantProfile(_Model):
    """All there is to know of a tenant but its keys."""

    id: Annotated[Identifier, Field(description="The tenant's id.")]
    name: Annotated[Line, Field(description="What people call it.")]
    enabled: Annotated[bool, Field(description="Whether its keys are accepted.")] = True
    role: Annotated[
        TenantRole, Field(description="What its U-Mail account is; a manager may act for sub-accounts.")
    ] = "customer"
    upstream: Annotated[UpstreamAccount, Field(description="Its U-Mail login.")]
    smtp: Annotated[SmtpAccount | None, Field(description="Its SMTP relay.")] = None
    limits: Annotated[Limits, Field(description="Its ceilings.")] = Limits()
    sends: Annotated[SendRules, Field(description="What it demands before a campaign goes out.")] = SendRules()
    events: Annotated[EventRules, Field(description="Whether and how its account is watched.")] = EventRules()
    cache: Lifetimes = Field(
        default_factory=dict,
        description="Seconds for which answers are kept, by operation; `*` stands for all others, 0 keeps nothing.",
    )


class Tenant(TenantProfile):
    """One customer of the gateway with one U-Mail account."""

    keys: tuple[ApiKey, ...] = ()

    @model_validator(mode="after")
    def _distinct_keys(self) -> Self:
        if len({key.id for key in self.keys}) < len(self.keys):
            raise ValueError("two keys share an id")
        return self
