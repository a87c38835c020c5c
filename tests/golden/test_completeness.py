"""Nothing is missing: every operation has golden files for each kind of reply, and an endpoint that offers it."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import app.identifiers
import app.resources
from app.gateway.operation import Effect, Export, Operation
from tests.support.conformance import document

HERE = Path(__file__).parent
AnyOperation = Operation[Any, Any] | Export[Any]


def operations() -> list[AnyOperation]:
    """Return every operation of every resource, and those that several resources use."""
    found: dict[str, AnyOperation] = {}
    for module in [
        *pkgutil.walk_packages(app.resources.__path__, "app.resources."),
        *pkgutil.walk_packages(app.identifiers.__path__, "app.identifiers."),
    ]:
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Operation | Export):
                assert found.setdefault(value.name, value) is value, f"two operations are called {value.name}"
    return list(found.values())


OPERATIONS = operations()


def _cases(operation: AnyOperation) -> dict[str, dict[str, Any]]:
    folder = HERE.joinpath(*operation.name.split("."))
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def _calls(case: dict[str, Any], operation: AnyOperation) -> bool:
    return any(
        call["script"] == operation.script and call["query"].get("do") == operation.do for call in case["upstream"]
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
class TestOperation:
    def test_has_a_golden_file_per_kind_of_reply(self, operation: AnyOperation) -> None:
        cases = _cases(operation)
        needed = {"many", "one", "none", "error"} if operation.effect is Effect.READ else {"success", "error"}
        assert needed <= cases.keys()
        assert len(cases) >= 4

    def test_is_called_by_its_golden_files(self, operation: AnyOperation) -> None:
        assert all(_calls(case, operation) for case in _cases(operation).values())

    def test_is_offered_by_an_endpoint(self, operation: AnyOperation) -> None:
        offered = {
            (endpoint["x-upstream"]["script"], endpoint["x-upstream"]["operation"])
            for path in document()["paths"].values()
            for endpoint in path.values()
            if "x-upstream" in endpoint
        }
        assert (operation.script, operation.do or operation.script) in offered
