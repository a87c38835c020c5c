"""What operators say and see of tenants and keys; only a new key shows a secret, once."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import TypeAliasType

from app.api.types import PublicModel
from app.storage.tenants.models import KeyRecord, Login, NewKey, Relay, TenantPatch, TenantRecord
from app.storage.usage import NOTES
from app.tenants.models import (
    EventRules,
    Lifetimes,
    Limits,
    Scope,
    SendRules,
    TenantProfile,
    TenantRole,
    UpstreamAccount,
)

_LOGIN = {"base_url": "http://www.bestedm.org/mm-ms/apinew/", "auth": "basic", "username": "acme"}
_PROBE: dict[str, Any] = {"outcome": "accepted", "detail": None}
_TENANT: dict[str, Any] = {
    "id": "acme",
    "name": "Acme Ltd",
    "enabled": True,
    "role": "customer",
    "upstream": _LOGIN,
    "staged": None,
    "smtp": None,
    "limits": {"requests_per_minute": 600, "concurrency": 20, "campaigns_per_hour": 100},
    "sends": {"require_preflight": False, "two_persons": False},
    "events": {"enabled": False, "requests_per_minute": 60},
    "cache": {},
    "revision": 1,
    "created_at": "2026-11-25T09:00:00Z",
    "updated_at": "2026-11-25T09:00:00Z",
}
_KEY: dict[str, Any] = {
    "id": "web",
    "prefix": "umg_3q2-7wAA",
    "scopes": ["read", "write"],
    "requests_per_minute": None,
    "expires_at": None,
    "networks": ["10.0.0.0/8"],
    "subject": None,
    "created_at": "2026-11-25T09:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}
_USAGE: dict[str, Any] = {
    "key_id": "web",
    "requests": 1200,
    "failed": 3,
    "campaigns": 4,
    "messages": 210,
    "refused": 1,
    "unknown": 0,
}
ProbeOutcome = TypeAliasType(
    "ProbeOutcome",
    Annotated[
        Literal["accepted", "refused", "unknown", "skipped"],
        Field(description="What came of trying a login; `unknown` where the platform could not be asked."),
    ],
)


class Probe(PublicModel):
    """What the platform said when a login was tried with the `account` call."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBE]})

    outcome: Annotated[
        ProbeOutcome,
        Field(description="`unknown`: the platform could not be asked."),
    ]
    detail: Annotated[str | None, Field(description="Why, unless it was accepted.")] = None


class TenantView(PublicModel):
    """A tenant, without its secrets."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TENANT]})

    id: Annotated[str, Field(description="The tenant's id.")]
    name: Annotated[str, Field(description="What people call it.")]
    enabled: Annotated[bool, Field(description="Whether its keys are accepted.")]
    role: Annotated[TenantRole, Field(description="What its U-Mail account is; a manager may act for sub-accounts.")]
    upstream: Annotated[Login, Field(description="Its U-Mail login.")]
    staged: Annotated[Login | None, Field(description="A login that waits to be confirmed.")]
    smtp: Annotated[Relay | None, Field(description="Its SMTP relay; null for none.")]
    limits: Annotated[Limits, Field(description="Its ceilings.")]
    sends: Annotated[SendRules, Field(description="What it demands before a campaign goes out.")]
    events: Annotated[EventRules, Field(description="Whether and how its account is watched.")]
    cache: Annotated[
        Lifetimes,
        Field(
            description="Seconds for which answers are kept, by operation; `*` stands for all others, 0 keeps nothing."
        ),
    ]
    revision: Annotated[int, Field(description="Grows with every change of the tenant.")]
    created_at: Annotated[datetime, Field(description="When it was added.")]
    updated_at: Annotated[datetime, Field(description="When it was last changed.")]

    @classmethod
    def of(cls, record: TenantRecord) -> "TenantView":
        """Show a record."""
        return cls.model_validate(record.model_dump())


class ProbedTenant(PublicModel):
    """A tenant, and what came of trying its new login."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tenant": _TENANT, "probe": _PROBE}]})

    tenant: Annotated[TenantView, Field(description="The tenant as it now is.")]
    probe: Annotated[Probe, Field(description="What came of trying its login.")]


class NewTenant(TenantProfile):
    """A tenant to be added."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "acme", "name": "Acme Ltd", "upstream": {**_LOGIN, "password": "secret"}}]
        }
    )


class TenantChanges(TenantPatch):
    """What is to change: `smtp` is the whole relay, null removes it; the U-Mail login is changed by `credentials`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    revision: Annotated[
        int | None, Field(ge=1, description="The revision this was decided on; refused if there is a later one.")
    ] = None


class NewApiKey(NewKey):
    """A key to be made; without an id it gets one, and without networks it may be used anywhere."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "web", "scopes": ["read", "write"], "networks": ["10.0.0.0/8"]}]}
    )


class KeyView(PublicModel):
    """A key, without what it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    id: Annotated[str, Field(description="The key's id, unique among the tenant's keys.")]
    prefix: Annotated[str, Field(description="How it begins.")]
    scopes: Annotated[list[Scope], Field(description="What it may do.")]
    requests_per_minute: Annotated[int | None, Field(description="Its own ceiling beside the tenant's; null for none.")]
    expires_at: Annotated[datetime | None, Field(description="When it ends; null for never.")]
    networks: Annotated[list[str], Field(description="Where it may be used from; anywhere if there are none.")]
    subject: Annotated[str | None, Field(description="Who uses it; null for the key itself.")]
    created_at: Annotated[datetime, Field(description="When it was made.")]
    last_used_at: Annotated[datetime | None, Field(description="Exact to some minutes.")]
    revoked_at: Annotated[datetime | None, Field(description="When it was revoked; null while it is valid.")]

    @classmethod
    def of(cls, record: KeyRecord) -> "KeyView":
        """Show a record."""
        shown = record.model_dump(exclude={"tenant", "networks", "scopes"})
        return cls(**shown, scopes=sorted(record.scopes), networks=[str(each) for each in record.networks])


class NewKeyView(PublicModel):
    """A new key; nobody can find it out again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key": f"umg_{'x' * 43}", "record": _KEY}]})

    key: Annotated[str, Field(description="The key itself, this once.")]
    record: Annotated[KeyView, Field(description="What is kept of it.")]


class KeyUsageView(PublicModel):
    """What a key has asked for and sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_USAGE]})

    key_id: Annotated[str | None, Field(description="The key; null for sends from before keys were noted.")]
    requests: Annotated[int, Field(description="Requests, refused ones included.")]
    failed: Annotated[int, Field(description="How many of them were answered with 400 or more.")]
    campaigns: Annotated[int, Field(description="Campaigns that the platform confirmed.")]
    messages: Annotated[int, Field(description="Messages that the relay took.")]
    refused: Annotated[int, Field(description="Campaigns and messages that were refused.")]
    unknown: Annotated[int, Field(description="Campaigns and messages whose fate is not known.")]


class UsageView(PublicModel):
    """A tenant's usage in a month, by key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tenant": "acme", "month": "2026-11", "keys": [_USAGE], "credits": None, "notes": [*NOTES]}]
        }
    )

    tenant: Annotated[str, Field(description="The tenant's id.")]
    month: Annotated[str, Field(description="The month, in UTC.", examples=["2026-11"])]
    keys: Annotated[list[KeyUsageView], Field(description="Its keys, the busiest first.")]
    credits: Annotated[float | None, Field(description="Always null: the platform bills an account, not a key.")]
    notes: Annotated[list[str], Field(description="What is not known.")]


def _strictly(model: type[BaseModel]) -> BeforeValidator:
    """Read a model without taking one JSON type for another.

    In a tenants file that is done: what variables of the environment put into it is text, whatever it means.
    """

    def read(value: Any) -> Any:
        # Only of JSON text is it known that a list can mean nothing but a set, say, or a text nothing but a time.
        return model.model_validate_json(json.dumps(value), strict=True) if isinstance(value, dict) else value

    return BeforeValidator(read)


NewTenantBody = Annotated[NewTenant, _strictly(NewTenant)]
TenantChangesBody = Annotated[TenantChanges, _strictly(TenantChanges)]
NewApiKeyBody = Annotated[NewApiKey, _strictly(NewApiKey)]
LoginBody = Annotated[UpstreamAccount, _strictly(UpstreamAccount)]
