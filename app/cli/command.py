"""All commands together."""

import os
import signal
import sys

from app.cli.doctor import doctor
from app.cli.keys import keys
from app.cli.service import app
from app.cli.tenants import tenants

__all__ = ["app", "main"]

app.command()(doctor)
app.add_typer(tenants, name="tenants")
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line."""
    _heed_termination()
    app()


def _heed_termination() -> None:
    """End at SIGTERM from the beginning, as the first process of a container too.

    The kernel keeps from that process what it does not handle itself, and the server handles SIGTERM only once it
    listens: stopping a container that is still starting would last until it is killed.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
