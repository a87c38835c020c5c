"""The `umail-gateway` command."""

import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    _heed_termination()
    from app.cli.command import app  # noqa: PLC0415 - a container's first process must end at SIGTERM while it loads

    app()


def _heed_termination() -> None:
    # The kernel keeps from process 1 what it does not handle itself; the server handles SIGTERM only once it listens.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
