"""The OpenAPI document: what everyone who reads it may rely on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import __version__
from app.api.openapi import build_openapi, for_clients, for_operators
from app.gateway.operation import Effect
from tests.support.conformance import document, resolved, validate
from tests.support.running import make_app

ROOT = Path(__file__).parents[2]
OWN_ERRORS = {"403", "404", "409", "422", "428", "504", "default"}


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
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/AnyError"}

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


_ALTERNATIVES = {"create_campaign": 2, "preflight_campaign": 2, "edit_campaign": 3, "delete_campaign": 2}
"""How many scopes there are of which one will do."""


@pytest.mark.parametrize(("method", "path", "operation"), RESOURCES, ids=_name)
class TestResource:
    def test_documents_its_errors_as_problems(self, method: str, path: str, operation: dict[str, Any]) -> None:
        responses = operation["responses"]
        assert "422" in responses
        for status, answer in responses.items():
            response = resolved(answer)
            assert response["description"]
            if status == "default" or int(status) >= 400:
                assert status in OWN_ERRORS
                assert list(response["content"]) == ["application/problem+json"]

    def test_takes_either_form_of_the_key(self, method: str, path: str, operation: dict[str, Any]) -> None:
        scopes: dict[str, list[str]] = {"bearer": [], "api_key": []}
        for requirement in operation["security"]:
            ((scheme, (scope,)),) = requirement.items()
            scopes[scheme].append(scope)
        assert scopes["bearer"] == scopes["api_key"]
        assert set(scopes["bearer"]) <= {"read", "write", "draft", "send", "manage", "webhooks"}
        # What the edit of a campaign needs depends on the edit.
        assert len(scopes["bearer"]) == _ALTERNATIVES.get(operation["operationId"], 1)

    def test_says_what_the_platform_does(self, method: str, path: str, operation: dict[str, Any]) -> None:
        assert operation["x-effect"] in list(Effect)
        assert (operation["x-effect"] == "read") == (method == "GET")
        if upstream := operation["x-upstream-operation"]:
            assert re.fullmatch(r"[1-9]\d*(\.\d+)*(, [1-9]\d*(\.\d+)*)*", upstream["section"])
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

    def test_says_in_words_what_the_key_needs(self, method: str, path: str, operation: dict[str, Any]) -> None:
        scopes = {scope for requirement in operation["security"] for needed in requirement.values() for scope in needed}
        *_, last = operation["description"].split("\n\n")
        assert last.startswith("Needs a key with the scope ")
        assert all(f"`{scope}`" in last for scope in scopes)

    def test_nothing_optional_is_filled_in(self, method: str, path: str, operation: dict[str, Any]) -> None:
        for parameter in operation.get("parameters", []):
            if not parameter["required"]:
                needed = path in {"/v1/sends", "/v1/delivery-failures", "/v1/delivery-failures/addresses"}
                assert ("example" in parameter) == (needed and parameter["name"] == "campaign_id"), parameter["name"]

    def test_ids_and_counts_have_64_bits(self, method: str, path: str, operation: dict[str, Any]) -> None:
        for parameter in operation.get("parameters", []):
            if parameter["name"].endswith("_id") and parameter["schema"]["type"] == "integer":
                assert parameter["schema"]["format"] == "int64"

    def test_forms_have_no_null(self, method: str, path: str, operation: dict[str, Any]) -> None:
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form is not None:
            assert "'type': 'null'" not in str(SCHEMAS[form["schema"]["$ref"].rpartition("/")[2]]["properties"])


def _named(schema: dict[str, Any]) -> bool:
    return "$ref" in schema or schema.get("type") in {"string", "object"} or "oneOf" in schema


def test_the_documents_of_clients_and_operators_share_no_path() -> None:
    app = make_app([])
    clients, operators = (build_openapi(app, includes) for includes in (for_clients, for_operators))
    assert not any(path.startswith("/admin/") for path in clients["paths"])
    assert all(path.startswith("/admin/") for path in operators["paths"])
    assert clients["paths"].keys() | operators["paths"].keys() == document()["paths"].keys()


def test_the_introduction_leads_to_operations_that_are_there() -> None:
    named = set(re.findall(r"#operation/(\w+)", document()["info"]["description"]))
    assert len(named) > 10
    assert named <= {operation["operationId"] for _, _, operation in OPERATIONS}


def test_every_version_is_the_same() -> None:
    chart = yaml.safe_load((ROOT / "helm/umail-gateway/Chart.yaml").read_text(encoding="utf-8"))
    image = re.search(r"^ARG VERSION=(.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert image
    assert {document()["info"]["version"], chart["version"], chart["appVersion"], image[1]} == {__version__}


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
