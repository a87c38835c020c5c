"""How endpoints read JSON: what different readers could understand differently is refused."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request
from fastapi.routing import APIRoute
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
    """A route whose body, read by the framework or by hand, is strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
