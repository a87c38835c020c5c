"""Which endpoint a request is for, before the framework routes it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

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
