"""All commands; the module of each is loaded once it is used, since some take seconds to load."""

import platform
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "serve": ("service", "Run the gateway, configured by UMAIL_GATEWAY_… variables."),
    "events": ("service", "Watch the tenants' accounts for events and deliver webhooks."),
    "migrate": ("service", "Bring the database to the form this release needs, and end."),
    "demo": ("service", "Run gateway and sandbox together with two demo tenants."),
    "sandbox": ("service", "Run the stand-in for the U-Mail platform."),
    "openapi": ("service", "Print the OpenAPI document."),
    "doctor": ("doctor", "Call every read of a tenant's account, and nothing but reads."),
    "mcp": ("agents", "Offer a gateway's tools over standard input and output."),
    "tenants": ("tenants", "Tenants and their U-Mail logins, in the database."),
    "keys": ("keys", "API keys and master keys."),
    "status": ("status", "Show each tenant's login, quota, keys that end soon, breaker and last confirmed send."),
    "call": ("call", "Carry out one operation of the API for a tenant."),
    "usage": ("usage", "Show a tenant's requests and sends of a month, by key."),
    "config": ("config", "What is configured, and whether it can be used."),
}
"""The module of each command in this package, and what the list of commands says of it."""


class LazyGroup(TyperGroup):
    """Commands that are known by name until one is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command: one of its module's, or all of them as a group."""
        if cmd_name not in COMMANDS:
            return None
        group = typer.main.get_group(import_module(f"app.cli.{COMMANDS[cmd_name][0]}").app)
        group.name = cmd_name
        return group.get_command(ctx, cmd_name) or group

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"umail-gateway {version('umail-gateway')}, Python {platform.python_version()}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A typed REST/JSON gateway in front of the U-Mail e-mail marketing platform.",
)


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Set nothing up: every command reads the settings itself."""
