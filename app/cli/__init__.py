"""The `umail-gateway` command."""

import os
import signal
import sys

from app.loading import loading

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    _heed_termination()
    import typer  # noqa: F401, PLC0415 - before the rest, because it draws its help with what is kept away from the rest

    with loading():
        from app.cli.command import app  # noqa: PLC0415
    app()


def _heed_termination() -> None:
    """End at SIGTERM from the beginning, as the first process of a container too.

    The kernel keeps from that process what it does not handle itself, and the server handles SIGTERM only once it
    listens: stopping a container that is still starting would last until it is killed.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
