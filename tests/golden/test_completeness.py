"""Nothing is missing: every operation has golden files for each kind of reply, and an endpoint that offers it."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.gateway.operation import Effect
from tests.support.conformance import document
from tests.support.operations import AnyOperation, operations

HERE = Path(__file__).parent
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
            (upstream.get("script"), upstream.get("do"))
            for path in document()["paths"].values()
            for endpoint in path.values()
            if (upstream := endpoint.get("x-upstream-operation"))
        }
        assert (operation.script, operation.do) in offered
