"""Running the command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]


@contextmanager
def running(
    *arguments: str, folder: Path, before: Sequence[str] = (), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start `umail-gateway` with arguments, by another command if that is to go before.

    It is ended with SIGTERM if the test has not done so.
    """
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
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=_environment(folder, environment),
        timeout=60,
        check=False,
    )


def lines_until(process: subprocess.Popen[str], marker: str) -> list[str]:
    """Read the process's output up to the line that contains `marker`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
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
