"""All commands together."""

from app.cli.keys import keys
from app.cli.service import app
from app.cli.tenants import tenants

__all__ = ["app", "main"]

app.add_typer(tenants, name="tenants")
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line."""
    app()
