"""The help of every command, word for word: UPDATE_HELP=1 writes it anew."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli.command import app

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in sorted(getattr(command, "commands", {}).items()):
        yield from commands(each, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_of_every_command_is_known(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "-h"], prog_name="umail-gateway", terminal_width=100)
    assert result.exit_code == 0
    golden = GOLDEN / f"{'-'.join(('help', *path))}.txt"
    if os.environ.get("UPDATE_HELP"):
        golden.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == golden.read_text(encoding="utf-8")


def test_no_file_is_left_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {"-".join(("help", *path)) for path in ALL}
