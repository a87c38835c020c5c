"""Schemas of the OpenAPI document, put so that people read them easily and generators make good types of them."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "propertyNames", "contentSchema")
_NAMED = ("properties", "patternProperties")
_NULL: Schema = {"type": "null"}
_INT32 = 2**31 - 1
_LONG = 2**63 - 1
_PREFILLED = "campaign_id"
"""Where one of several filters is needed, the one that documentation pages fill in."""
_PREFIX = "#/components/schemas/"


def tidy_schemas(document: dict[str, Any]) -> None:
    """Name every schema by its title, and write every schema and parameter of a document as plainly as it can be."""
    _rename(document)
    for name, schema in document["components"]["schemas"].items():
        _tidy(schema)
        schema["title"] = name
    for schema in _of_operations(document):
        _tidy(schema)
    for parameter in _parameters(document):
        _tidy_parameter(parameter)
    _give_collections_examples(document["components"]["schemas"])


def _rename(document: dict[str, Any]) -> None:
    """Call schemas by their titles, in the order of their names, where the framework has made names up."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    names = {name: schema.get("title", name) for name, schema in schemas.items()}
    if len(set(names.values())) < len(names):
        raise ValueError("two schemas share a title")
    document["components"]["schemas"] = dict(sorted((names[name], schema) for name, schema in schemas.items()))
    for schema in [*schemas.values(), *_of_operations(document)]:
        for each in _with_children(schema):
            if "$ref" in each:
                each["$ref"] = _PREFIX + names[each["$ref"].removeprefix(_PREFIX)]


def _parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operation in operations(document):
        yield from operation.get("parameters", ())


def _of_operations(document: dict[str, Any]) -> Iterator[Schema]:
    for operation in operations(document):
        holders = list(operation.get("parameters", ()))
        for message in (operation.get("requestBody", {}), *operation["responses"].values()):
            holders += message.get("content", {}).values()
        yield from (holder["schema"] for holder in holders if "schema" in holder)


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the operations of a document in their order."""
    for item in document["paths"].values():
        yield from item.values()


def _children(schema: Schema) -> Iterator[Schema]:
    for keyword in _LISTED:
        yield from schema.get(keyword, ())
    yield from (schema[keyword] for keyword in _SINGLE if isinstance(schema.get(keyword), dict))
    for keyword in _NAMED:
        yield from schema.get(keyword, {}).values()


def _with_children(schema: Schema) -> Iterator[Schema]:
    yield schema
    for child in _children(schema):
        yield from _with_children(child)


def _tidy(schema: Schema) -> None:
    for child in _children(schema):
        _tidy(child)
    # Titles made of field names say nothing, and generators call types by them.
    schema.pop("title", None)
    _write_limits(schema)
    _widen(schema)
    _join(schema)


def _write_limits(schema: Schema) -> None:
    """Name limits as JSON Schema does, and write whole numbers as integers; the framework does neither everywhere."""
    for short, name in (("ge", "minimum"), ("le", "maximum")):
        if short in schema:
            schema[name] = schema.pop(short)
        if isinstance(schema.get(name), float) and schema[name].is_integer():
            schema[name] = int(schema[name])


def _widen(schema: Schema) -> None:
    """Have generated clients keep ids and counts in 64 bits; what is bounded below 2³¹ fits their plain integers."""
    types = schema.get("type", ())
    is_integer = "integer" in ([types] if isinstance(types, str) else types)
    if is_integer and not schema.keys() & {"const", "enum", "format"} and schema.get("maximum", _LONG) > _INT32:
        schema["format"] = "int64"


def _join(schema: Schema) -> None:
    """Write `anyOf` a type, further values of it and null as one type; what holds references stays as it is."""
    choices: list[Schema] = schema.get("anyOf", [])
    if not choices or any("$ref" in each or "type" not in each for each in choices):
        return
    real = [each for each in choices if each != _NULL]
    joined = _as_one(real)
    if joined is None:
        return
    del schema["anyOf"]
    described = {**joined, **schema}
    if len(real) < len(choices):
        described["type"] = [described["type"], "null"]
        if "enum" in described:
            described["enum"] = [*described["enum"], None]
    schema.clear()
    schema.update(described)


def _as_one(choices: list[Schema]) -> Schema | None:
    if len(choices) == 1 and "const" not in choices[0]:
        return choices[0]
    values = [_values(each) for each in choices]
    if all(values) and len({each["type"] for each in choices}) == 1:
        return {"type": choices[0]["type"], "enum": [value for each in values for value in each]}
    return None


def _values(schema: Schema) -> list[Any]:
    found: list[Any] = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return found


def _tidy_parameter(parameter: dict[str, Any]) -> None:
    """Take null out of a parameter, which has no way to say it, and what is said of both it and its schema."""
    schema: Schema = parameter["schema"]
    if isinstance(schema.get("type"), list):
        (schema["type"],) = [each for each in schema["type"] if each != "null"]
        if "enum" in schema:
            schema["enum"] = [each for each in schema["enum"] if each is not None]
    parameter.setdefault("description", schema.get("description"))
    schema.pop("description", None)
    examples = schema.pop("examples", None)
    if examples and (parameter["required"] or parameter["name"] == _PREFILLED):
        parameter["example"] = examples[0]


def _give_collections_examples(schemas: Mapping[str, Schema]) -> None:
    for schema in schemas.values():
        properties = schema.get("properties", {})
        item = properties.get("data", {}).get("items", {}).get("$ref", "").removeprefix(_PREFIX)
        if item and "examples" not in schema:
            example = {"data": schemas[item]["examples"]}
            if "pagination" in properties:
                example["pagination"] = schemas["Pagination"]["examples"][0]
            schema["examples"] = [example]
