"""What a tool is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.routing import BaseRoute

from app.agents.api import ToolApi
from app.api.routing import ResourceRoute
from app.errors import InsufficientScope
from app.gateway.context import Caller
from app.gateway.operation import Effect

Arguments = TypeVar("Arguments", bound=BaseModel)
ROUTES = Mapping[str, ResourceRoute]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[Arguments]):
    """One task, and the requests of the API that it takes."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[BaseModel]
    routes: tuple[str, ...]
    """Names of the routes that it cannot do without; their scopes and effects are the tool's."""
    run: Callable[[ToolApi, Arguments], Awaitable[BaseModel]]
    overwrites: bool = False
    """Whether it replaces what was there."""
    holds_back: bool = False
    """Whether nothing goes out although a route could send."""

    def authorize(self, caller: Caller, routes: ROUTES) -> None:
        """Check whether a caller may use it.

        Raises:
            InsufficientScope: the key lacks a scope.
        """
        for each in self.routes:
            routes[each].authorize(caller)

    def is_for(self, caller: Caller, routes: ROUTES) -> bool:
        """Tell whether a caller may use it."""
        try:
            self.authorize(caller, routes)
        except InsufficientScope:
            return False
        return True

    def effects(self, routes: ROUTES) -> set[Effect]:
        """Return what its routes do to the platform."""
        found = {Effect((routes[each].openapi_extra or {})["x-effect"]) for each in self.routes}
        return {Effect.WRITE if each is Effect.SEND and self.holds_back else each for each in found}


def routes_by_name(routes: list[BaseRoute]) -> ROUTES:
    """Return the routes of resources by their names."""
    return {route.name: route for route in routes if isinstance(route, ResourceRoute)}


def compact_schema(model: type[BaseModel], *, of_result: bool) -> dict[str, Any]:
    """Return a model's JSON Schema without what agents need not read: titles and examples."""
    schema = model.model_json_schema(mode="serialization" if of_result else "validation")
    for definition in schema.get("$defs", {}).values():
        if "enum" in definition:
            # The fields that have it say it, too.
            definition.pop("description", None)
    compact: dict[str, Any] = _without(schema)
    return compact


def _without(schema: Any, *, names: bool = False) -> Any:
    """Leave words about a schema out; `names` says that the keys are names of properties."""
    if isinstance(schema, list):
        return [_without(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without(value, names=key in {"properties", "$defs", "patternProperties"} and not names)
        for key, value in schema.items()
        if names or key not in {"title", "examples", "example"}
    }
