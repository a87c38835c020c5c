"""Options of the commands about tenants."""

from enum import StrEnum
from typing import Annotated

import typer

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
