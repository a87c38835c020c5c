"""Answers of the document: headers where they are sent, and errors written down once."""

from typing import Any

import pytest

from app.api.documentation import documents
from app.api.openapi_answers import complete_answers, headers
from app.api.problems import problem_responses
from app.errors import GatewayError, NotFound, ValidationFailed
from app.resources.lists.operations import CREATE, LIST

Part = dict[str, Any]


class Gone(GatewayError):
    """Another error of the same code."""

    status, code, title = 404, "not_found", "Gone"


def completed(**operations: Part) -> Part:
    """Return a document of operations, by method, whose answers are completed."""
    document = {"paths": {"/v1/its/{id}": operations}, "components": {"schemas": {}}}
    complete_answers(document)
    return document


def answers(*errors: type[GatewayError]) -> Part:
    return {"responses": {str(status): answer for status, answer in problem_responses(*errors).items()}}


def test_equal_errors_stand_in_the_components_once() -> None:
    document = completed(get=answers(NotFound, ValidationFailed), head=answers(NotFound))
    assert document["paths"]["/v1/its/{id}"]["get"]["responses"]["404"] == {"$ref": "#/components/responses/NotFound"}
    assert document["components"]["responses"].keys() == {"AnyError", "NotFound", "ValidationFailed", "WriteNotFound"}


def test_what_it_is_made_of_stays_as_it_was() -> None:
    before = answers(NotFound)
    completed(get=answers(NotFound))
    assert answers(NotFound) == before
    assert "headers" not in before["responses"]["404"]


def test_different_errors_of_one_name_are_refused() -> None:
    document = {"paths": {f"/v1/{each.__name__}/{{id}}": {"get": answers(each)} for each in (NotFound, Gone)}}
    with pytest.raises(ValueError, match="two answers are called NotFound"):
        complete_answers({**document, "components": {"schemas": {}}})


def test_a_header_that_is_not_described_is_refused() -> None:
    with pytest.raises(KeyError, match="X-Unheard-Of"):
        headers("X-Unheard-Of")


def test_a_read_says_for_how_long_it_is_kept_and_a_change_what_it_drops() -> None:
    read = documents(LIST)["openapi_extra"]["x-cache-policy"]
    assert read == {
        "fresh": 30.0,
        "stale_while_revalidate": 30.0,
        "stale_if_error": 3600.0,
        "not_found": 5.0,
        "tags": ["lists"],
    }
    assert documents(LIST, kept=False)["openapi_extra"]["x-cache-policy"] == {"fresh": 0}
    assert documents(CREATE)["openapi_extra"]["x-cache-policy"] == {"fresh": 0, "invalidates": ["lists"]}


def test_what_any_request_may_meet_is_told_once() -> None:
    document = completed(get=answers(NotFound))
    assert document["paths"]["/v1/its/{id}"]["get"]["responses"]["default"]["$ref"].endswith("/AnyError")
    problem = document["components"]["responses"]["AnyError"]["content"]["application/problem+json"]
    assert problem["examples"].keys() == document["components"]["examples"].keys()


def test_a_path_that_names_no_resource_misses_none() -> None:
    document: Part = {"paths": {"/v1/its": {"get": answers(NotFound)}}, "components": {"schemas": {}}}
    complete_answers(document)
    assert document["paths"]["/v1/its"]["get"]["responses"].keys() == {"default"}
