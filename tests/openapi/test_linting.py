"""The OpenAPI document under a linter, and that the linter's rules find what they are for."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.api.openapi import build_openapi, for_clients, for_operators
from tests.support.conformance import document
from tests.support.running import make_app
from tests.support.tools import FOLDER, install_packages, installed_node, packaged_node, run_tool, run_unchecked

Spoil = Callable[[dict[str, Any]], None]


def lint(folder: Path, spoiled: dict[str, Any] | None = None) -> set[str]:
    """Return the rules that the document breaks."""
    for name in ("redocly.yaml", "rules.mjs"):
        shutil.copy(FOLDER / name, folder)
    text = json.dumps(document() if spoiled is None else spoiled)
    (folder / "openapi.json").write_text(text, encoding="utf-8")
    options = ("--format", "json", "--max-problems", "1000", "--lint-config", "error")
    done = run_unchecked("redocly", "lint", "gateway", *options, folder=folder)
    found = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    assert (done.returncode == 0) == (found["totals"]["errors"] == 0)
    return {problem["ruleId"] for problem in found["problems"]}


def _lists(spoiled: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spoiled["paths"]["/v1/lists"]
    return found


def _schema(spoiled: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = spoiled["components"]["schemas"][name]
    return found


SPOILED: dict[str, Spoil] = {
    "operation-operationId-unique": lambda it: _lists(it)["get"].update(operationId="get_account"),
    "operation-description": lambda it: _lists(it)["get"].pop("description"),
    "gateway/operations": lambda it: _lists(it)["get"].pop("x-cache-policy"),
    "gateway/tags": lambda it: it["tags"].append({"name": "Nothing", "description": "Used by nothing."}),
    "gateway/names": lambda it: _schema(it, "Account")["properties"].update(userName={"description": "A name."}),
    "gateway/schemas": lambda it: _schema(it, "Account")["properties"]["company"].pop("description"),
    "gateway/parameters": lambda it: it["paths"]["/v1/lists/{list_id}"]["get"]["parameters"][0].pop("example"),
    "gateway/json-examples": lambda it: _schema(it, "NewContactList").pop("examples"),
    "gateway/answers": lambda it: _lists(it)["get"]["responses"]["200"]["headers"].pop("X-Request-ID"),
    "gateway/problems": lambda it: it["components"]["responses"]["NotFound"]["content"].clear(),
    "gateway/scopes": lambda it: _lists(it)["post"].update(security=[{"bearer": ["read"]}, {"api_key": ["read"]}]),
    "no-invalid-schema-examples": lambda it: _schema(it, "Contact")["examples"][0].update(id="one"),
    "no-unused-components": lambda it: it["components"]["schemas"].update(Unused=_schema(it, "Health")),
    "security-defined": lambda it: _lists(it)["get"]["security"].append({"nothing": []}),
    "no-unresolved-refs": lambda it: _schema(it, "Account")["properties"]["id"].update({"$ref": "#/nowhere"}),
}


@pytest.mark.parametrize("includes", [for_clients, for_operators])
def test_the_document_breaks_no_rule(includes: Callable[[str], bool], tmp_path: Path) -> None:
    assert lint(tmp_path, build_openapi(make_app([]), includes)) == set()


def test_each_rule_finds_what_it_is_for(tmp_path: Path) -> None:
    spoiled = copy.deepcopy(document())
    for spoil in SPOILED.values():
        spoil(spoiled)
    assert lint(tmp_path, spoiled) >= SPOILED.keys()


def test_the_lock_file_names_no_host() -> None:
    locked = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in locked
    assert locked.count('"integrity"') == len(json.loads(locked)["packages"]) - 1


class TestNode:
    def test_of_the_machine_is_taken_if_it_is_recent(self, tmp_path: Path) -> None:
        for name, version in (("node", "v19.9.0"), ("npm", "9.0.0")):
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\necho {version}\n", encoding="utf-8")
            program.chmod(0o755)
        assert installed_node(str(tmp_path)) is None
        (tmp_path / "node").write_text("#!/bin/sh\necho v22.12.0\n", encoding="utf-8")
        found = installed_node(str(tmp_path))
        assert found
        assert found.npm == (str(tmp_path / "npm"),)
        (tmp_path / "npm").unlink()
        assert installed_node(str(tmp_path)) is None

    def test_from_pip_installs_and_runs_packages(self, tmp_path: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(FOLDER / name, tmp_path)
        node = packaged_node("")
        install_packages(node, tmp_path)
        compiler = tmp_path / "node_modules" / ".bin" / "tsc"
        said = run_tool(node.npm[0], compiler, "--version", folder=tmp_path)
        assert said.startswith("Version 5.")


@pytest.mark.parametrize("name", ["redocly.yaml", "rules.mjs", "package.json"])
def test_no_file_names_a_registry(name: str) -> None:
    assert "://" not in (FOLDER / name).read_text(encoding="utf-8")
