"""Which endpoint a request is for, before the framework routes it."""

import re
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


class RouteTable:
    """Finds routes by method and path; they stand together by the number of their path's steps."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[re.Pattern[str], APIRoute]]] = {}
        for route in routes:
            if isinstance(route, APIRoute):
                for method in route.methods or ():
                    self._routes.setdefault((method, route.path.count("/")), []).append((route.path_regex, route))

    def find(self, method: str, path: str) -> tuple[APIRoute | None, dict[str, str]]:
        """Return the route, and what the path says for its parameters; None and nothing if there is none."""
        for pattern, route in self._routes.get((method, path.count("/")), ()):
            if match := pattern.match(path):
                return route, match.groupdict()
        return None, {}
