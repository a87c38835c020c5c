"""The OpenAPI document: how it is put together, and what the framework gets wrong about ours."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app import __version__
from app.api.languages import Catalogue
from app.api.openapi_answers import complete_answers
from app.api.openapi_schemas import tidy_schemas
from app.api.openapi_texts import DESCRIPTION, OPERATORS_DESCRIPTION, TAGS, TITLE
from app.api.problems import Problem
from app.api.routing import ANY_SCOPE, StrictRoute
from app.api.types import PublicModel, RequestModel

_PROSE = frozenset({"summary", "description"})
_NAMED = frozenset({"properties", "patternProperties", "schemas", "headers", "responses"})
_DATA = frozenset({"example", "examples", "value", "default", "enum", "const"})
"""Where a document holds data, whose names mean what they mean elsewhere."""
_ORDER = (
    "tags",
    "operationId",
    "summary",
    "description",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "x-effect",
    "x-upstream-operation",
    "x-cache-policy",
)
"""How an operation reads best."""


def install_openapi(app: FastAPI) -> None:
    """Make `app` describe what its clients use, with our head and tags."""
    app.openapi = partial(build_openapi, app, for_clients)  # type: ignore[method-assign]  # the framework's way


def for_clients(path: str) -> bool:
    """Tell whether a path belongs to the clients' document."""
    return not for_operators(path)


def for_operators(path: str) -> bool:
    """Tell whether a path belongs to the operators' document."""
    return path.startswith("/admin/")


def build_openapi(app: FastAPI, includes: Callable[[str], bool], words: Catalogue | None = None) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the paths that `includes` chooses, in the language of a catalogue."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and includes(route.path)]
    for route in routes:
        if isinstance(route, StrictRoute):
            route.describe_answer()
    used = {tag for route in routes if route.include_in_schema for tag in route.tags}
    document = get_openapi(
        title=TITLE,
        version=__version__,
        summary="A typed JSON gateway in front of the U-Mail e-mail marketing platform.",
        description=DESCRIPTION.strip() if includes("/v1") else OPERATORS_DESCRIPTION.strip(),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "The gateway that serves this document"}],
        routes=routes,
        tags=[tag for tag in TAGS if tag["name"] in used],
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for path, item in document["paths"].items():
        for operation in item.values():
            _tidy(operation, path)
            _name_bodies(operation, schemas)
    for model in (*_models(PublicModel), *_models(RequestModel)):
        if model.__name__ in schemas:
            _restore_examples(schemas[model.__name__], model)
    tidy_schemas(document)
    complete_answers(document)
    if includes("/v1") and (describe := getattr(app, "describe_webhooks", None)):
        document["webhooks"] = describe(document["components"]["schemas"])
    _drop_unused(document)
    return translated(document, words) if words and words.messages else document


def translated(part: Any, words: Catalogue) -> Any:
    """Return a part of a document with the texts that people read in another language, paragraph by paragraph."""
    return _mapped(part, words.gettext)


def sentences(document: dict[str, Any]) -> list[str]:
    """Return what `translated` translates."""
    found: dict[str, None] = {}

    def note(paragraph: str) -> str:
        found[paragraph] = None
        return paragraph

    _mapped(document, note)
    return list(found)


def _mapped(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, list):
        return [_mapped(each, change) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: _mapped_field(name, value, change) for name, value in part.items()}


def _mapped_field(name: str, value: Any, change: Callable[[str], str]) -> Any:
    if name in _NAMED:
        return {key: _mapped(each, change) for key, each in value.items()}
    if name in _PROSE and isinstance(value, str):
        return "\n\n".join(map(change, value.split("\n\n")))
    return value if name in _DATA else _mapped(value, change)


def _drop_unused(document: dict[str, Any]) -> None:
    components = document["components"]
    used = set(_references([document["paths"], document.get("webhooks", {})]))
    while len(used) < len(used := used | set(_references(_found(components, each) for each in used))):
        pass
    for kind in ("schemas", "responses", "headers", "examples"):
        named = components[kind].items()
        components[kind] = {name: part for name, part in named if f"#/components/{kind}/{name}" in used}


def _found(components: dict[str, Any], reference: str) -> Any:
    _, _, kind, name = reference.split("/")
    return components[kind][name]


def _references(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            yield from _references(node.values())
        elif isinstance(node, list):
            yield from _references(node)


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move models that stand in a request body in full to the components.

    Raises:
        ValueError: two models share a name.
    """
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "properties" in content["schema"]:
            schema = dict(content["schema"])
            for name, model in {**schema.pop("$defs", {}), schema["title"]: schema}.items():
                if schemas.setdefault(name, model) != model:
                    raise ValueError(f"two models are called {name}")
            content["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _restore_examples(schema: dict[str, Any], model: type[BaseModel]) -> None:
    # The framework drops every null of the document, those inside examples too.
    extra = model.model_config.get("json_schema_extra")
    if isinstance(extra, dict) and "examples" in extra:
        schema["examples"] = extra["examples"]


def _tidy(operation: dict[str, Any], path: str) -> None:
    operation["security"] = _security(operation)
    operation["description"] = f"{operation['description']}{_needs(operation['security'], path)}"
    ordered = {name: operation[name] for name in _ORDER if name in operation} | operation
    operation.clear()
    operation.update(ordered)


def _needs(security: list[dict[str, list[str]]], path: str) -> str:
    """Say in words who may call an operation."""
    if for_operators(path):
        return "\n\nNeeds the operators' token."
    scopes = sorted({scope for requirement in security for needed in requirement.values() for scope in needed})
    if not scopes:
        return ""
    manager = ", and a tenant whose account is a manager's" if scopes == ["manage"] else ""
    return f"\n\nNeeds a key with the scope {' or '.join(f'`{scope}`' for scope in reversed(scopes))}{manager}."


def _security(operation: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Return what an operation needs: either scheme will do.

    The framework writes one requirement that names both, with the scopes at each.
    """
    scopes: dict[str, set[str]] = {}
    for requirement in operation.get("security", ()):
        for name, needed in requirement.items():
            scopes.setdefault(name, set()).update(needed)
    schemes = sorted(scopes, reverse=True)
    if alternatives := operation.pop(ANY_SCOPE, None):
        return [{name: [scope]} for name in schemes for scope in alternatives]
    return [{name: sorted(scopes[name])} for name in schemes]
