"""Routes: how they read JSON, of which what readers could understand differently is refused, and how they are built."""

import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, FastAPI, Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.utils import create_model_field
from starlette.responses import Response
from starlette.routing import BaseRoute

from app.api.negotiation import accept_header, is_json, preferred
from app.api.strict_json import read_strict_json
from app.errors import (
    FieldError,
    InsufficientScope,
    MalformedRequest,
    NotAcceptable,
    UnsupportedMediaType,
    ValidationFailed,
    parameters_refused,
)
from app.gateway.context import Caller
from app.tenants.models import Scope
from app.texts import Text, sentence

bearer = HTTPBearer(scheme_name="bearer", description="Your API key.", auto_error=False)
api_key = APIKeyHeader(name="X-API-Key", scheme_name="api_key", description="Your API key.", auto_error=False)

ANY_SCOPE = "x-any-scope"
"""Where a route notes scopes of which one will do, until `app.api.openapi` writes the operation's security."""


class _StrictRequest(Request):
    async def json(self) -> Any:
        return await read_strict_json(await self.body())


FOUND_ROUTE = "found_route"
"""Where the scope of a request says which route it is for, once that was looked for."""

_LARGE_BODY = "takes_large_body"
_MOST_UNKNOWN = 20
"""Unknown parameters that are told of; the rest would only make the answer longer."""
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def takes_large_body(endpoint: Endpoint) -> Endpoint:
    """Declare that an endpoint streams its body, which may be as large as an import."""
    setattr(endpoint, _LARGE_BODY, True)
    return endpoint


class StrictRoute(APIRoute):
    """A route whose body, read by the framework or by hand, is strict JSON, and whose endpoint returns a `Response`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, response_model: Any = None, **options: Any) -> None:
        """Build the route; what it answers with is looked at only by `describe_answer`."""
        super().__init__(path, endpoint, response_model=None, **options)
        self._answer = None if isinstance(response_model, DefaultPlaceholder) else response_model

    def describe_answer(self) -> None:
        """Get ready to be documented: serving needs no validator of what an endpoint has made itself."""
        if self._answer is not None:
            self.response_field = create_model_field(f"Response_{self.unique_id}", self._answer, mode="serialization")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


class ResourceRoute(StrictRoute):
    """A route of a tenant's resources; refuses whom it is not for, and what it does not declare, before the body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        extra = self.openapi_extra or {}
        needed = [scope for each in self.dependant.dependencies for scope in each.own_oauth_scopes or ()]
        self.alternatives = [[scope] for scope in extra.get(ANY_SCOPE, ())] or [needed]
        """Scopes that suffice together, each time."""
        if not all(self.alternatives):
            raise ValueError(f"{path} needs no scope")
        self._query_names = _query_names(self.dependant)
        self.takes_large_body = getattr(endpoint, _LARGE_BODY, False)
        documented = self.responses.get(self.status_code or 200, {}).get("content", {})
        self._offered = list(dict.fromkeys(["application/json", *documented]))

    def authorize(self, caller: Caller) -> None:
        """Check whether a caller may use the route at all.

        Raises:
            InsufficientScope: the key lacks a scope, or the tenant's U-Mail account is not a manager's.
        """
        for scopes in self.alternatives:
            if caller.scopes.issuperset(map(Scope, scopes)):
                break
        else:
            require(caller, *self.alternatives[0])
        if "manage" in self.alternatives[0] and caller.tenant.role != "manager":
            raise InsufficientScope("This needs a tenant whose U-Mail account is a manager's.", reason="not a manager")

    def describe_answer(self) -> None:
        """Get ready to be documented; the key is a dependency in the document only."""
        super().describe_answer()
        scopes = [] if (self.openapi_extra or {}).get(ANY_SCOPE) else self.alternatives[0]
        schemes = [Dependant(call=scheme, own_oauth_scopes=scopes) for scheme in (bearer, api_key)]
        self.dependant = replace(self.dependant, dependencies=[*self.dependant.dependencies, *schemes])

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            self._check_query(request)
            self._check_media_types(request)
            return await handle(request)

        return checked

    def _check_query(self, request: Request) -> None:
        if not request.scope["query_string"]:
            return
        try:
            unquote_to_bytes(request.scope["query_string"].replace(b"+", b" ")).decode()
        except UnicodeDecodeError:
            raise MalformedRequest("The query is not UTF-8.") from None
        given = request.query_params
        errors = [
            FieldError("parameter", name[:100], "unknown_parameter", self._valid_names())
            for name in islice((name for name in given if name not in self._query_names), _MOST_UNKNOWN)
        ]
        errors += [
            FieldError("parameter", name, "repeated_parameter", "may stand once")
            for name in self._query_names & set(given)
            if len(given.getlist(name)) > 1
        ]
        if errors:
            raise ValidationFailed(parameters_refused(len(errors)), errors)

    def _valid_names(self) -> Text:
        if not self._query_names:
            return sentence("is not a parameter of this resource, which takes none")
        names = ", ".join(sorted(self._query_names))
        return sentence("is not a parameter of this resource, which takes: {names}", names=names)

    def _check_media_types(self, request: Request) -> None:
        if self.body_field is not None and not is_json(request.headers.get("content-type", "")):
            raise UnsupportedMediaType("The body must be application/json.", headers={"Accept": "application/json"})
        if preferred(accept_header(request.headers), self._offered) is None:
            raise NotAcceptable(sentence("This resource is {value}.", value=" or ".join(self._offered)))


def _query_names(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*(_query_names(child) for child in dependant.dependencies))


def require(caller: Caller, *scopes: str) -> None:
    """Check a caller's scopes; raises `InsufficientScope` where the key lacks one."""
    missing = [scope for scope in scopes if Scope(scope) not in caller.scopes]
    if missing:
        detail = sentence("This needs a key with the scope `{scope}`.", scope=missing[0])
        raise InsufficientScope(detail, reason=f"scope {missing[0]} missing")
    # Whoever repeats the request with its idempotency key needs them too.
    caller.context.scopes |= frozenset(scopes)


def strict_router(
    prefix: str,
    tag: str,
    *,
    route_class: type[StrictRoute] = StrictRoute,
    dependencies: Sequence[Depends] = (),
    responses: dict[int | str, dict[str, Any]] | None = None,
) -> APIRouter:
    """Return a router of strict routes, to be given to `add_routes`."""
    return APIRouter(
        route_class=route_class,
        prefix=prefix,
        tags=[tag],
        dependencies=dependencies,
        responses=responses,
        generate_unique_id_function=name_of,
    )


def add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Give an application the routes of routers as they are.

    Including the routers would have the framework build every route a second time, at the first request: 70 ms, 2 MB.
    """
    for router in routers:
        app.router.routes.extend(router.routes)


def name_of(route: APIRoute) -> str:
    """Return what the document calls an endpoint: its function's name."""
    return route.name


_BELOW = "/v1/"
_LONGEST_MISTAKE = 100
_LIKENESS = 0.75


class RouteTable:
    """Finds routes by method and path; they stand together by the number of their path's steps."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[re.Pattern[str], APIRoute]]] = {}
        self._paths: list[str] = []
        for route in routes:
            if isinstance(route, APIRoute):
                if route.include_in_schema and route.path.startswith(_BELOW):
                    self._paths.append(route.path)
                for method in route.methods or ():
                    self._routes.setdefault((method, route.path.count("/")), []).append((route.path_regex, route))

    def find(self, method: str, path: str) -> tuple[APIRoute | None, dict[str, str]]:
        """Return the route, and what the path says for its parameters; None and nothing if there is none."""
        for pattern, route in self._routes.get((method, path.count("/")), ()):
            if match := pattern.match(path):
                return route, match.groupdict()
        return None, {}

    def nearest(self, path: str) -> str | None:
        """Return the path that is most like one for which there is no route, with the names of its parameters."""
        if len(path) > _LONGEST_MISTAKE:
            return None
        steps = path.removeprefix(_BELOW).rstrip("/").split("/")
        alike = {_filled_in(route.removeprefix(_BELOW), steps): route for route in reversed(self._paths)}
        return next((alike[each] for each in get_close_matches("/".join(steps), alike, 1, _LIKENESS)), None)


def _filled_in(route: str, steps: list[str]) -> str:
    """Write a path's parameters as the request has them."""
    parts = route.split("/")
    same = steps if len(steps) == len(parts) else parts
    return "/".join(ours if each.startswith("{") else each for each, ours in zip(parts, same, strict=True))
