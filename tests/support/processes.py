"""Running the command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.support.forks import Forked, Talking

COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]


@contextmanager
def running(*arguments: str, folder: Path, **environment: str) -> Iterator[Talking]:
    """Start `umail-gateway` with arguments. It is ended with SIGTERM if the test has not done so."""
    process = Talking(arguments, folder, _environment(folder, environment))
    try:
        yield process
    finally:
        process.terminate()
        if not process.stdout.closed:
            process.communicate(timeout=30)


@contextmanager
def running_apart(
    *arguments: str, folder: Path, before: Sequence[str] = (), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start `umail-gateway` in a Python of its own, by another command if that is to go before."""
    process = subprocess.Popen(
        [*before, *COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=_environment(folder, environment),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `umail-gateway` to its end."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        process = Forked(arguments, folder, _environment(folder, environment), output, errors)
        status = process.wait(timeout=60)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())


def lines_until(output: IO[str], marker: str) -> list[str]:
    """Read a process's output up to the line that contains `marker`."""
    lines: list[str] = []
    for line in output:
        lines.append(line.rstrip("\n"))
        if marker in line:
            return lines
    raise AssertionError("the process ended:\n" + "\n".join(lines))


def _environment(folder: Path, extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UMAIL_GATEWAY_")}
    root = str(Path(__file__).parents[2])
    return {
        **kept,
        "PYTHONPATH": root,
        "PYTHONUNBUFFERED": "1",
        "UMAIL_GATEWAY_DATA_DIR": str(folder / "data"),
        **extra,
    }
