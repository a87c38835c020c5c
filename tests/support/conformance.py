"""Every answer in every test is held against the OpenAPI document."""

import json
import re
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.api.openapi import build_openapi
from app.api.openapi_answers import HEADERS


@cache
def document() -> dict[str, Any]:
    """The OpenAPI documents of clients and operators, as one."""
    from tests.support.running import make_app  # noqa: PLC0415 - running imports this module

    return build_openapi(make_app([]), lambda _path: True)


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    # The most literal template wins, as it does in the router: /lists/{id} must not answer for /lists/verify.
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(path))), item) for path, item in paths]


@cache
def _registry() -> Registry[Any]:
    resource: Resource[Any] = Resource.from_contents(document(), DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)
    return registry


def validate(schema: dict[str, Any], instance: Any) -> None:
    """Check an instance against a schema of the document."""
    absolute = _absolute(schema)
    Draft202012Validator(absolute, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        instance
    )


def resolved(part: dict[str, Any] | None) -> dict[str, Any]:
    """Return a part of the document, or what it refers to; nothing where there is none."""
    found: dict[str, Any] = part or {}
    if "$ref" in found:
        _, kind, name = found["$ref"].removeprefix("#/").split("/")
        return resolved(document()["components"][kind][name])
    return found


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: f"urn:openapi{value}" if key == "$ref" and value.startswith("#") else _absolute(value)
            for key, value in node.items()
        }
    return [_absolute(each) for each in node] if isinstance(node, list) else node


def check_headers(response: httpx2.Response) -> None:
    """Assert what every answer carries."""
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("referrer-policy") == ["no-referrer"]
    assert response.headers.get_list("x-frame-options") == ["DENY"]
    (policy,) = response.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    if response.request.url.path.startswith(("/v1/", "/admin/")) or response.is_error:
        (cached,) = response.headers.get_list("cache-control")
        assert cached == "no-store" or cached.startswith("private, no-cache")


def _check_declared(response: httpx2.Response, documented: dict[str, Any]) -> None:
    declared = {name.lower() for name in documented.get("headers", {})}
    sent = {name.lower() for name in HEADERS} & {name.lower() for name in response.headers}
    if response.headers.get("vary", "").strip() == "Origin":
        # Said by what lets browsers in, where an operator wants that.
        sent.discard("vary")
    assert sent <= declared, f"{response.request.url.path} {response.status_code} does not declare {sent - declared}"


async def check_response(response: httpx2.Response) -> None:
    """Assert that a documented operation answered with a documented status, and with the body it documents."""
    check_headers(response)
    path, method = response.request.url.path, response.request.method.lower()
    operation = next((item[method] for pattern, item in _routes() if method in item and pattern.fullmatch(path)), None)
    if operation is None:
        return
    otherwise = operation["responses"]["default"] if response.is_error else None
    documented = resolved(operation["responses"].get(str(response.status_code), otherwise))
    assert documented, f"{method} {path} answered {response.status_code}, which is not documented"
    _check_declared(response, documented)
    await response.aread()
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if not response.content and media_type != "application/x-ndjson":
        assert "content" not in documented or response.status_code in {204, 304}
        return
    content = documented.get("content", {})
    assert media_type in content, f"{method} {path} answered {media_type}, documented are {list(content)}"
    schema = content[media_type].get("schema")
    if schema and media_type == "application/x-ndjson":
        for line in response.text.splitlines():
            validate(schema["contentSchema"], json.loads(line))
    elif schema and media_type.endswith("json"):
        validate(schema, response.json())
