"""Schemas as generators like them."""

import copy
from typing import Any

import pytest

from app.api.openapi_schemas import tidy_schemas

Schema = dict[str, Any]


def tidied(schema: Schema, **others: Schema) -> Schema:
    """Return a schema as it is written in the components."""
    document: Schema = {"paths": {}, "components": {"schemas": {"It": copy.deepcopy(schema), **others}}}
    tidy_schemas(document)
    found: Schema = document["components"]["schemas"]["It"]
    assert found.pop("title") == "It"
    return found


def parameter(**said: Any) -> Schema:
    """Return a parameter as it is written at an operation."""
    given: Schema = {"name": "q", "in": "query", **copy.deepcopy(said)}
    operation = {"parameters": [given], "responses": {}}
    tidy_schemas({"paths": {"/": {"get": operation}}, "components": {"schemas": {}}})
    return given


STRING, NULL = {"type": "string"}, {"type": "null"}


class TestChoices:
    def test_of_a_type_and_null_are_one_type(self) -> None:
        choice = {"anyOf": [{"type": "string", "maxLength": 9}, NULL], "description": "A name."}
        expected = {"type": ["string", "null"], "maxLength": 9, "description": "A name."}
        assert tidied({"type": "object", "properties": {"name": choice}})["properties"]["name"] == expected
        assert tidied({"type": "array", "items": choice})["items"] == expected

    def test_of_values_are_one_enumeration(self) -> None:
        values = [{"type": "string", "enum": ["a", "b"]}, {"type": "string", "const": "c"}]
        assert tidied({"anyOf": values}) == {"type": "string", "enum": ["a", "b", "c"]}
        assert tidied({"anyOf": [*values, NULL]}) == {"type": ["string", "null"], "enum": ["a", "b", "c", None]}
        assert tidied({"anyOf": [values[1], NULL]}) == {"type": ["string", "null"], "enum": ["c", None]}

    @pytest.mark.parametrize(
        "choices",
        [
            [{"$ref": "#/components/schemas/Other"}, NULL],
            [STRING, {"type": "boolean"}],
            [{"type": "string", "const": "a"}, {"type": "integer", "const": 1}],
            [{"type": "string", "const": "a"}, STRING],
            [{"minimum": 1}, NULL],
        ],
    )
    def test_of_anything_else_stay_as_they_are(self, choices: list[Schema]) -> None:
        assert tidied({"anyOf": choices}, Other={"type": "object"}) == {"anyOf": choices}


def test_limits_have_the_names_and_the_form_of_json_schema() -> None:
    assert tidied({"type": "integer", "ge": 1.0, "le": 2**53 - 1}) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 2**53 - 1,
        "format": "int64",
    }
    assert tidied({"type": "number", "minimum": 0.5}) == {"type": "number", "minimum": 0.5}


def test_fields_may_be_called_as_keywords_are() -> None:
    fields = {name: {"type": "integer", "title": name.title()} for name in ("title", "ge", "anyOf", "items")}
    found = tidied({"type": "object", "properties": fields})["properties"]
    assert found == {name: {"type": "integer", "format": "int64"} for name in fields}


def test_schemas_are_called_by_their_titles() -> None:
    schemas = {
        "Page_A_": {"title": "APage", "items": {"$ref": "#/components/schemas/A"}},
        "A": {"title": "A", "type": "object"},
        "B": {"title": "B", "properties": {"a": {"$ref": "#/components/schemas/Page_A_"}}},
    }
    document: Schema = {"paths": {}, "components": {"schemas": schemas}}
    tidy_schemas(document)
    named = document["components"]["schemas"]
    assert list(named) == ["A", "APage", "B"]
    assert named["B"]["properties"]["a"] == {"$ref": "#/components/schemas/APage"}


def test_two_schemas_of_one_title_are_refused() -> None:
    schemas = {"a__It": {"title": "It"}, "b__It": {"title": "It"}}
    with pytest.raises(ValueError, match="share a title"):
        tidy_schemas({"paths": {}, "components": {"schemas": schemas}})


def test_collections_have_the_examples_of_their_items() -> None:
    item = {"type": "object", "examples": [{"id": 1}, {"id": 2}]}
    data = {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}
    place = {"pagination": {"$ref": "#/components/schemas/Pagination"}}
    pages = {"type": "object", "examples": [{"page": 1}]}
    assert tidied({"properties": data}, Item=item)["examples"] == [{"data": [{"id": 1}, {"id": 2}]}]
    page = tidied({"properties": data | place}, Item=item, Pagination=pages)
    assert page["examples"] == [{"data": [{"id": 1}, {"id": 2}], "pagination": {"page": 1}}]


def test_integers_that_fit_32_bits_stay_as_they_are() -> None:
    for schema in ({"type": "integer", "maximum": 500}, {"type": "integer", "enum": [1, 2]}):
        assert tidied(dict(schema)) == schema
    assert tidied({"type": ["integer", "null"]})["format"] == "int64"


class TestParameter:
    def test_is_filled_in_only_where_it_is_needed(self) -> None:
        for needed in (True, False):
            schema = {"type": "string", "description": "What to look for.", "examples": ["li"]}
            assert ("example" in parameter(schema=schema, required=needed)) == needed

    def test_is_never_null(self) -> None:
        assert parameter(schema={"anyOf": [STRING, NULL]}, description="d")["schema"] == STRING
        choice = {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]}
        assert parameter(schema=choice, description="d")["schema"] == {"type": "string", "enum": ["a"]}

    def test_says_once_what_it_is(self) -> None:
        schema = {"type": "string", "description": "What to look for.", "examples": ["li", "wang"], "title": "Q"}
        found = parameter(schema=schema, required=True)
        assert found["description"] == "What to look for."
        assert found["example"] == "li"
        assert found["schema"] == STRING
