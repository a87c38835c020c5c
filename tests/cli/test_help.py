"""The help of every command, word for word: UPDATE_HELP=1 writes it anew."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from app.cli.command import COMMANDS, app

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"
ROOT: Any = typer.main.get_command(app)
CONTEXT = ROOT.make_context("umail-gateway", [], resilient_parsing=True)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name in sorted(command.list_commands(CONTEXT)):
            yield from commands(command.get_command(CONTEXT, name), (*path, name))


ALL = list(commands(ROOT))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_of_every_command_is_known(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "-h"], prog_name="umail-gateway", terminal_width=100)
    assert result.exit_code == 0
    golden = GOLDEN / f"{'-'.join(('help', *path))}.txt"
    if os.environ.get("UPDATE_HELP"):
        golden.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == golden.read_text(encoding="utf-8")


def test_the_list_says_what_each_command_says_of_itself() -> None:
    for name, (_, text) in COMMANDS.items():
        assert ROOT.get_command(CONTEXT, name).help.startswith(text.rstrip("."))


def test_no_file_is_left_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {"-".join(("help", *path)) for path in ALL}
