"""Options of the commands about tenants."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli.configuration import nearest_operation, unknown_operations
from app.cli.starting import fail
from app.tenants.models import UpstreamAccount


class Role(StrEnum):
    """What a tenant's U-Mail account is."""

    CUSTOMER = "customer"
    MANAGER = "manager"


class Auth(StrEnum):
    """How a tenant logs in at U-Mail."""

    BASIC = "basic"
    LEGACY = "legacy"


class Security(StrEnum):
    """How a relay is spoken to."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


Id = Annotated[str, typer.Argument(metavar="ID", help="The tenant's id.", show_default=False)]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read passwords from standard input, one a line, instead of asking.")
]
Name = Annotated[str | None, typer.Option(help="The tenant's name.", show_default=False)]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="The platform's URL.", show_default=UpstreamAccount.model_fields["base_url"].default),
]
Username = Annotated[str | None, typer.Option(help="The user at U-Mail.", show_default=False)]
RoleOption = Annotated[Role | None, typer.Option(help="A manager may act for sub-accounts.", show_default=False)]
AuthOption = Annotated[Auth | None, typer.Option(help="How to log in at U-Mail.", show_default=False)]
Ceiling = Annotated[int | None, typer.Option(min=1, help="A ceiling of the tenant's.", show_default=False)]
Preflight = Annotated[
    bool | None,
    typer.Option(
        "--require-preflight/--no-require-preflight",
        help="Whether creating a campaign needs the ticket of a preflight.",
        show_default=False,
    ),
]
TwoPersons = Annotated[
    bool | None,
    typer.Option(
        "--two-persons/--one-person", help="Whether a campaign is released by a second person.", show_default=False
    ),
]
Watched = Annotated[
    bool | None,
    typer.Option("--events/--no-events", help="Whether the account is watched for events.", show_default=False),
]
Cache = Annotated[
    list[str] | None,
    typer.Option(metavar="READ=SECONDS", help="How long answers are kept; several times.", show_default=False),
]
Unasked = Annotated[bool, typer.Option("--no-probe", help="Save the login without asking the platform.")]


def lifetimes(entries: list[str]) -> dict[str, float]:
    """Read what `--cache` says; ends the command where that is no lifetime of a read."""
    read: dict[str, float] = {}
    for entry in entries:
        name, _, seconds = entry.partition("=")
        try:
            read[name] = float(seconds)
        except ValueError:
            fail(f"--cache: {entry!r} must be like lists.list=5")
        if unknown_operations([name]):
            fail(f"--cache: there is no read {name!r}; did you mean {nearest_operation(name)!r}?")
    return read


def limits(requests_per_minute: int | None, concurrency: int | None, campaigns_per_hour: int | None) -> dict[str, int]:
    """Return the limits that are given."""
    ceilings = {
        "requests_per_minute": requests_per_minute,
        "concurrency": concurrency,
        "campaigns_per_hour": campaigns_per_hour,
    }
    return given(ceilings)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out the fields that were not given."""
    return {name: value for name, value in fields.items() if value is not None}
