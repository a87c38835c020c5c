"""What the guides say is so: tables, links, and every command."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox import Account, Sandbox
from tests.support.demos import running_demo
from tests.support.guides import GUIDES, ROOT, TABLES, tables_in, with_tables

_BLOCK = re.compile(r"(?:<!-- (run|not run): (.+) -->\n)?```(?:sh|bash|console)\n([\s\S]*?)```")
_FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LENGTH = 180
"""The lines that a README may have."""
_PROLOGUE = """
set -euo pipefail
curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; }
"""
_RUNNER = """
import os, shlex, sys
from typer.testing import CliRunner
from app.cli.command import app
for line in sys.stdin:
    words = shlex.split(os.path.expandvars(line), comments=True)
    start = words.index("umail-gateway")
    given = os.environ["PASSWORD"] if "|" in words[:start] else None
    done = CliRunner().invoke(app, words[start + 1:], input=given)
    print(line, done.output)
    if done.exit_code:
        sys.exit(f"{line} ended with {done.exit_code}: {done.exception!r}")
"""


def blocks(path: Path, how: str) -> list[str]:
    """Return the shell commands of a guide that are run in a way."""
    return [block[3] for block in _BLOCK.finditer(path.read_text(encoding="utf-8")) if block[2] == how]


def run(program: list[str], commands: list[str], folder: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UMAIL_GATEWAY_")}
    done = subprocess.run(
        program,
        input="".join(commands).encode(),
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (done.stderr[-1500:] + done.stdout[-1500:]).decode()
    return done.stdout.decode()


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_are_what_the_code_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == with_tables(text), "write them with `make docs`"


def test_every_table_stands_somewhere() -> None:
    assert {name for path in GUIDES for name in tables_in(path.read_text(encoding="utf-8"))} == TABLES.keys()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= _LENGTH


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def prose(path: Path) -> str:
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def links() -> Iterator[tuple[Path, Path, str]]:
    """Yield from where, to which file, and to which anchor each link leads that stays in the repository."""
    for path in (*GUIDES, ROOT / "tests/golden/README.md"):
        for target in _LINK.findall(prose(path)):
            if "://" not in target:
                name, _, fragment = target.partition("#")
                yield path, (path.parent / name).resolve() if name else path, fragment


def test_links_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target.name}#{fragment}"
        for path, target, fragment in links()
        if not target.exists() or (fragment and fragment not in map(anchor, _HEADING.findall(prose(target))))
    ]
    assert broken == []


def test_every_section_can_be_found() -> None:
    found = {(target, fragment) for _, target, fragment in links()}
    sections = [(path, anchor(each)) for path in GUIDES[1:] for each in re.findall(r"(?m)^## (.+)$", prose(path))]
    assert [f"{path.relative_to(ROOT)}#{each}" for path, each in sections if (path, each) not in found] == []


def test_every_command_is_run_or_says_why_not() -> None:
    wrong = []
    for path in GUIDES:
        for block in _BLOCK.finditer(path.read_text(encoding="utf-8")):
            runner = block[2] or ""
            by_a_test = runner in {"demo", "cli"} or (ROOT / runner).exists()
            if block[1] is None or (block[1] == "run" and not by_a_test):
                wrong.append(f"{path.relative_to(ROOT)}: {block[3]}")
    assert wrong == []


def test_the_example_of_an_operation_is_the_code_there_is() -> None:
    section = (ROOT / "app/README.md").read_text(encoding="utf-8").partition("## Adding an operation\n")[2]
    shown = re.findall(r"   ```python\n(.*?)   ```", section.partition("\n## ")[0], re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "app/resources/lists").glob("*.py")]
    code = {line.strip() for file in files for line in file.splitlines()}
    assert len(shown) == 4
    assert {line.strip() for block in shown for line in block.splitlines()} - code == {"…"}


def test_commands_at_the_demo(tmp_path: Path) -> None:
    guides = [path for path in GUIDES if blocks(path, "demo")]
    assert len(guides) == 4
    greeting = (ROOT / "README.md").read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    with running_demo(tmp_path) as demo:
        assert re.findall(r"(?m)^  \S.*?  ", greeting) == re.findall(r"(?m)^  [A-Z].*?  ", demo["text"])
        for path in guides:
            commands = [
                each.replace("http://127.0.0.1:8000", demo["url"]).replace("http://127.0.0.1:9000", demo["sandbox"])
                for each in blocks(path, "demo")
            ]
            answers = run(["bash", "-v"], [_PROLOGUE, *commands], tmp_path, KEY=demo["key"])
            for shown in re.findall(r"/campaigns/(\d+)/report", "".join(commands)):
                assert f'"campaign":{{"id":{shown}' in answers
                assert path.parent != ROOT or f'{{"id":{shown},"batch":null' in answers, "the id that the README shows"


async def test_commands_of_operators(tmp_path: Path) -> None:
    async with Sandbox([Account(username="demo", password="secret", role="customer", seeded=True)]) as sandbox:
        await asyncio.to_thread(
            run,
            [sys.executable, "-c", _RUNNER],
            blocks(ROOT / "helm/README.md", "cli"),
            tmp_path,
            PASSWORD="secret",
            PLATFORM=sandbox.base_url,
            UMAIL_GATEWAY_DATA_DIR=str(tmp_path),
        )
