"""The image's recipe: what the linter says, and what can be told without a container engine."""

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from app import __version__
from app.settings import Settings
from tests.support.charts import example, pods_of, render

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
BUILD, FINAL = (
    [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
        for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", stage)).splitlines()
        if line.strip()
    ]
    for stage in re.split(r"(?m)^FROM .*\n", RECIPE)[1:]
)
IGNORED = re.findall(r"(?m)^[^#\n].*", (ROOT / ".dockerignore").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMMANDS = [text for name, text in BUILD if name == "RUN"]


def final(name: str) -> str:
    (text,) = [text for each, text in FINAL if each == name]
    return text


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_both_stages_are_of_one_exact_python() -> None:
    assert re.findall(r"(?m)^FROM (\S+)", RECIPE) == ["python:${PYTHON}"] * 2
    match = re.search(r"(?m)^ARG PYTHON=(\d+\.\d+)\.\d+-slim-\w+$", RECIPE)
    assert match
    assert match[1] in PROJECT["project"]["requires-python"]


def test_packages_come_from_the_lock_files_as_wheels_only() -> None:
    installs = [each for text in COMMANDS for each in text.split(" && ") if re.search(r"\binstall --", each)]
    locked = [each for each in installs if " -r " in each]
    assert {each.rpartition(" ")[2].strip() for each in locked} == {"requirements.txt", "requirements-build.txt"}
    assert all("--require-hashes --only-binary :all:" in each for each in locked)
    (own,) = [each for each in installs if each not in locked and not each.startswith("install ")]
    assert "--no-deps --no-index" in own
    (wheel,) = [each for text in COMMANDS for each in text.split(" && ") if "pip wheel" in each]
    assert "--no-deps --no-build-isolation" in wheel


def test_the_build_is_locked_as_the_project_asks() -> None:
    (wanted,) = PROJECT["build-system"]["requires"]
    locked = re.findall(r"(?m)^([a-z-]+)==", (ROOT / "requirements-build.txt").read_text(encoding="utf-8"))
    assert wanted.partition(">")[0] in locked
    assert f"echo '{wanted}' |" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_nothing_is_installed_in_the_final_stage() -> None:
    assert [text for name, text in FINAL if name == "RUN"] == ["pip uninstall --yes --quiet pip setuptools wheel"]


def test_runs_as_a_user_who_is_nobody_and_as_the_chart_says() -> None:
    user = final("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    for _, pod in pods_of(render(example("production"))):
        assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user


def test_is_started_without_a_shell_and_stopped_by_the_signal_that_is_heeded() -> None:
    assert json.loads(final("ENTRYPOINT")) == ["umail-gateway"]
    assert json.loads(final("CMD")) == ["serve"]
    assert final("STOPSIGNAL") == "SIGTERM"


def test_its_variables_are_settings_that_fit_the_chart() -> None:
    variables = dict(re.findall(r"(UMAIL_GATEWAY_[A-Z_]+)=(\S+)", final("ENV")))
    assert {name.removeprefix("UMAIL_GATEWAY_").lower() for name in variables} <= Settings.model_fields.keys()
    ((_, pod),) = [each for each in pods_of(render(example("minimal"))) if each[0] == "demo-umail-gateway"]
    (container,) = pod["containers"]
    assert {"name": "data", "mountPath": variables["UMAIL_GATEWAY_DATA_DIR"]} in container["volumeMounts"]
    assert container["ports"][0]["containerPort"] == int(variables["UMAIL_GATEWAY_PORT"]) == int(final("EXPOSE"))
    assert final("VOLUME") == variables["UMAIL_GATEWAY_DATA_DIR"]
    assert variables["UMAIL_GATEWAY_HOST"] == "0.0.0.0"


def test_asks_for_its_health_by_a_module_that_there_is() -> None:
    options, _, command = final("HEALTHCHECK").partition("CMD ")
    assert {each.partition("=")[0] for each in options.split()} >= {"--interval", "--timeout", "--start-period"}
    shell, flag, line = json.loads(command)
    assert (shell, flag) == ("sh", "-c")
    assert line == "exec python -m app.health http://127.0.0.1:$UMAIL_GATEWAY_PORT/healthz"


@pytest.mark.parametrize("name", ["version", "title", "description", "licenses"])
def test_its_labels_are_the_projects(name: str) -> None:
    project = PROJECT["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', final("LABEL")))
    arguments = dict(text.split("=", 1) for each, text in FINAL if each == "ARG")
    wanted = {"version": __version__, "title": project["name"], "description": project["description"]}
    found = arguments["VERSION"] if labels[name] == "${VERSION}" else labels[name]
    assert found == {**wanted, "licenses": project["license"]}[name]


class TestContext:
    """What the engine is sent, by the rules of `.dockerignore`: the last one that matches decides."""

    def sent(self, path: str) -> bool:
        """Tell whether a file is sent; a rule for a folder holds for what is in it."""
        sent = True
        folders = [str(each) for each in [Path(path), *Path(path).parents][:-1]]
        for rule in IGNORED:
            pattern = rule.removeprefix("!").removeprefix("**/")
            names = [Path(each).name for each in folders] if "**/" in rule else folders
            if any(fnmatch(name, pattern) for name in names):
                sent = rule.startswith("!")
        return sent

    def test_is_what_is_copied(self) -> None:
        copied = [text.split()[:-1] for name, text in BUILD if name == "COPY"]
        for name in (each for names in copied for each in names):
            assert (ROOT / name).exists()
            assert self.sent(name)
        assert self.sent("app/resources/lists/router.py")

    @pytest.mark.parametrize(
        "path",
        [".env", "app/.env", ".git/config", ".venv/bin/python", "tests/conftest.py", "tenants.yaml", "gateway.db"],
    )
    def test_holds_no_secret_and_nothing_unneeded(self, path: str) -> None:
        assert not self.sent(path)

    def test_holds_no_code_compiled_elsewhere(self) -> None:
        assert not self.sent("app/__pycache__/cli.cpython-311.pyc")
