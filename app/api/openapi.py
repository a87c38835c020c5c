"""The OpenAPI document: its head, its tags, and what the framework gets wrong about ours."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.api.openapi_answers import complete_answers
from app.api.openapi_schemas import operations, tidy_schemas
from app.api.problems import Problem
from app.api.routing import ANY_SCOPE, StrictRoute
from app.api.types import PublicModel, RequestModel

TITLE = "U-Mail Gateway"
VERSION = "1.0.0"
"""Of the contract; its major number is that of the path."""

DESCRIPTION = """
Authorize with your API key, either as `Authorization: Bearer <key>` or as `X-API-Key: <key>`; the key decides whose
U-Mail account is used. Times are RFC 3339 with an offset. Errors are `application/problem+json` (RFC 9457); programs
decide by their `code`.
"""

TAGS = [
    {"name": "Account", "description": "The tenant's own U-Mail account: who it is and what it may send."},
    {"name": "Contact lists", "description": "Lists that contacts are kept in and campaigns are sent to."},
    {"name": "Contacts", "description": "The people on the lists."},
    {"name": "Imports", "description": "Any number of contacts at once, worked off later by the platform."},
    {"name": "Exports", "description": "A whole list at once: who is on it and who left it."},
    {"name": "Subscriptions", "description": "People who join a list or leave it."},
    {"name": "Templates", "description": "Messages to send, their attachments, and the platform's review of them."},
    {"name": "Campaigns", "description": "Mailings: what is sent to whom and when. The platform calls them tasks."},
    {"name": "Statistics", "description": "What was sent, what became of it and what it cost."},
    {"name": "Delivery failures", "description": "Addresses that did not get their message, and why."},
    {"name": "Tracking", "description": "Who opened and clicked, by the campaign's id or its batch number."},
    {
        "name": "Domains",
        "description": "Domains that campaigns are sent from, and whether their DNS records are right.",
    },
    {"name": "Mailboxes", "description": "Sender mailboxes of those domains, with the logins of the SMTP relay."},
    {"name": "Console login", "description": "The login form of the platform's own web console."},
    {"name": "Messages", "description": "Single messages to a few people, by way of the tenant's SMTP relay."},
    {"name": "Administration", "description": "For the gateway's operators, under a credential of their own."},
    {"name": "Service", "description": "The gateway itself."},
]
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
    """Make `app` describe itself with our head and tags; kept is what goes out only, a twentieth of what is built."""
    app.openapi = partial(build_openapi, app)  # type: ignore[method-assign]  # the framework's way to replace it


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `app`."""
    for route in app.routes:
        if isinstance(route, StrictRoute):
            route.describe_answer()
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        summary="A typed JSON gateway in front of the U-Mail e-mail marketing platform.",
        description=DESCRIPTION.strip(),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "The gateway that serves this document"}],
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for operation in operations(document):
        _tidy(operation)
        _name_bodies(operation, schemas)
    for model in (*_models(PublicModel), *_models(RequestModel)):
        if model.__name__ in schemas:
            _restore_examples(schemas[model.__name__], model)
    tidy_schemas(document)
    complete_answers(document)
    return document


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


def _tidy(operation: dict[str, Any]) -> None:
    operation["security"] = _security(operation)
    ordered = {name: operation[name] for name in _ORDER if name in operation} | operation
    operation.clear()
    operation.update(ordered)


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
