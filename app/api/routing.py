"""Routes: how they read JSON, of which what readers could understand differently is refused, and how they are built."""

import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NoReturn

from fastapi import APIRouter, FastAPI, Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.params import Depends
from fastapi.routing import APIRoute
from fastapi.utils import create_model_field
from starlette.responses import Response


def strict_json(body: bytes) -> Any:
    """Read JSON as I-JSON allows it (RFC 7493).

    Raises:
        json.JSONDecodeError: not JSON, not UTF-8, a name that stands twice in an object, NaN or an infinity.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(type(error).__name__, "", 0) from None


def strict_decoder(**options: Any) -> json.JSONDecoder:
    """Return a decoder for parts of a longer JSON text; what I-JSON does not allow is a ValueError."""
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse, **options)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("not a number of JSON")


class _StrictRequest(Request):
    async def json(self) -> Any:
        return strict_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose body, read by the framework or by hand, is strict JSON, and whose endpoint returns a `Response`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, response_model: Any = None, **options: Any) -> None:
        """Build the route; what it answers with is looked at only by `describe_answer`.

        Args:
            path: as the framework takes it.
            endpoint: called for a request.
            response_model: the model that the document shows for an answer, if any.
            options: as the framework takes them.
        """
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


def strict_router(
    prefix: str, tag: str, *, dependencies: Sequence[Depends], responses: dict[int | str, dict[str, Any]] | None = None
) -> APIRouter:
    """Return a router of strict routes, to be given to `add_routes`.

    Args:
        prefix: what all paths begin with.
        tag: what the document files the routes under.
        dependencies: what every endpoint depends on.
        responses: what every endpoint may answer besides.
    """
    return APIRouter(
        route_class=StrictRoute,
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
