"""The command line in processes of their own that need not import it again.

They are forked from one process that has imported everything: importing takes longer than most tests.
"""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any, TextIO, cast

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["app.cli.command", "app.cli.service", "app.cli.tenants", "tests.support.forks"])


class Forked:
    """A running `umail-gateway`, with what tests need of `subprocess.Popen`."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *outputs: IO[Any] | int
    ) -> None:
        """Start it; its output and errors go to the first and the last of `outputs`."""
        with Path(os.devnull).open("rb") as nothing:
            inherited = [DupFd(_number(each)) for each in (nothing, outputs[0], outputs[-1])]
            self._process: ForkServerProcess = _CONTEXT.Process(
                target=_become, args=(list(arguments), str(folder), dict(environment), inherited)
            )
            self._process.start()

    @property
    def pid(self) -> int:
        return cast("int", self._process.pid)

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("umail-gateway", timeout or 0)
        return self.returncode


class Talking(Forked):
    """One whose output, errors included, the test reads."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        reading, writing = os.pipe()
        self.stdout: TextIO = os.fdopen(reading, encoding="utf-8")
        try:
            super().__init__(arguments, folder, environment, writing)
        finally:
            os.close(writing)

    def communicate(self, timeout: float) -> tuple[str, None]:
        """Read to the end and wait for it."""
        with self.stdout:
            text = self.stdout.read()
        self.wait(timeout)
        return text, None


def _number(output: IO[Any] | int) -> int:
    return output if isinstance(output, int) else output.fileno()


def _become(arguments: list[str], folder: str, environment: dict[str, str], inherited: Sequence[Any]) -> None:
    """Turn this process into what a shell would have started."""
    for number, descriptor in enumerate(inherited):
        os.dup2(descriptor.detach(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    if environment.get("PYTHONWARNINGS") == "default":
        warnings.simplefilter("default")
    # Those of the process this was forked from may have a file's idea of where they are.
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["umail-gateway", *arguments]
    from app.cli import main  # noqa: PLC0415 - what is imported before is imported by the process that is forked

    try:
        main()
    finally:
        # multiprocessing leaves them out.
        atexit._run_exitfuncs()
