"""All commands together."""

from app.cli.agents import mcp
from app.cli.config import config
from app.cli.doctor import doctor
from app.cli.keys import keys
from app.cli.service import app
from app.cli.tenants import tenants

__all__ = ["app"]

app.command()(doctor)
app.command()(mcp)
app.add_typer(tenants, name="tenants")
app.add_typer(keys, name="keys")
app.add_typer(config, name="config")
