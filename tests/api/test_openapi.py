"""The OpenAPI document: what everyone who reads it may rely on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gateway.operation import Effect
from tests.support.conformance import document, resolved, validate

README = Path(__file__).parents[2] / "README.md"
COMMON_ERRORS = {"400", "401", "403", "406", "422", "500"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


OPERATIONS = list(operations())
RESOURCES = [each for each in OPERATIONS if each[1].startswith("/v1/")]


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=_name)
class TestOperation:
    def test_documents_what_any_request_may_meet(self, method: str, path: str, operation: dict[str, Any]) -> None:
        assert operation["responses"].keys() >= {"400", "413", "414", "431", "500"}

    def test_takes_a_key_wherever_it_may_meet_its_reuse(
        self, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        changes_something = path.startswith("/v1/") and method != "GET"
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert ("Idempotency-Key" in names) is changes_something

    def test_is_described(self, method: str, path: str, operation: dict[str, Any]) -> None:
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"])
        (tag,) = operation["tags"]
        assert tag in {each["name"] for each in document()["tags"]}

    def test_describes_its_parameters(self, method: str, path: str, operation: dict[str, Any]) -> None:
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), parameter["name"]

    def test_stands_in_the_readme(self, method: str, path: str, operation: dict[str, Any]) -> None:
        text = README.read_text(encoding="utf-8")
        assert f"`{method} {path}`" in text or path in text.partition("`GET /healthz`")[2].partition("\n")[0]


@pytest.mark.parametrize(("method", "path", "operation"), RESOURCES, ids=_name)
class TestResource:
    def test_documents_its_errors_as_problems(self, method: str, path: str, operation: dict[str, Any]) -> None:
        responses = operation["responses"]
        assert responses.keys() >= COMMON_ERRORS
        for status, answer in responses.items():
            response = resolved(answer)
            assert response["description"]
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]

    def test_takes_either_form_of_the_key(self, method: str, path: str, operation: dict[str, Any]) -> None:
        scopes: dict[str, list[str]] = {"bearer": [], "api_key": []}
        for requirement in operation["security"]:
            ((scheme, (scope,)),) = requirement.items()
            scopes[scheme].append(scope)
        assert scopes["bearer"] == scopes["api_key"]
        assert set(scopes["bearer"]) <= {"read", "write", "send", "manage"}
        # What the edit of a campaign needs depends on the edit.
        assert len(scopes["bearer"]) == (2 if operation["operationId"] == "edit_campaign" else 1)

    def test_says_what_the_platform_does(self, method: str, path: str, operation: dict[str, Any]) -> None:
        assert operation["x-effect"] in list(Effect)
        assert (operation["x-effect"] == "read") == (method == "GET")
        assert re.fullmatch(r"[1-9]\d*(\.\d+)*(, [1-9]\d*(\.\d+)*)*", operation["x-upstream-operation"]["section"])
        policy = operation["x-cache-policy"]
        assert ("304" in operation["responses"]) == (policy["fresh"] > 0) == ("tags" in policy)

    def test_takes_an_idempotency_key_where_it_changes_something(
        self, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert ("Idempotency-Key" in names) == (method != "GET")

    def test_limits_are_whole_numbers(self, method: str, path: str, operation: dict[str, Any]) -> None:
        for parameter in operation.get("parameters", []):
            limits = [parameter["schema"].get(name) for name in ("minimum", "maximum")]
            assert not any(isinstance(limit, float) for limit in limits)

    def test_names_its_schemas(self, method: str, path: str, operation: dict[str, Any]) -> None:
        contents = [
            content
            for answer in operation["responses"].values()
            for content in resolved(answer).get("content", {}).values()
        ]
        contents += operation.get("requestBody", {}).get("content", {}).values()
        assert all(_named(content["schema"]) for content in contents if "schema" in content)

    def test_documents_what_the_outer_layers_answer(self, method: str, path: str, operation: dict[str, Any]) -> None:
        assert operation["responses"].keys() >= {"413", "414", "429", "431", "503"}

    def test_forms_have_no_null(self, method: str, path: str, operation: dict[str, Any]) -> None:
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form is not None:
            assert "'type': 'null'" not in str(SCHEMAS[form["schema"]["$ref"].rpartition("/")[2]]["properties"])


def _named(schema: dict[str, Any]) -> bool:
    return "$ref" in schema or schema.get("type") in {"string", "object"} or "oneOf" in schema


def test_limits_are_those_of_json_schema() -> None:
    found = set(_names(document()))
    assert found.isdisjoint({"ge", "gt", "le", "lt", "min_length", "max_length"})


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _names(child)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))


SCHEMAS = document()["components"]["schemas"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_described_and_their_examples_valid(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema.get("description"), name
    for example in schema.get("examples", []):
        validate({"$ref": f"#/components/schemas/{name}"}, example)


@pytest.mark.parametrize(("method", "path", "operation"), RESOURCES, ids=_name)
def test_json_bodies_have_examples(method: str, path: str, operation: dict[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        name = content["schema"]["$ref"].rpartition("/")[2]
        assert content.get("example") or content.get("examples") or SCHEMAS[name].get("examples")
