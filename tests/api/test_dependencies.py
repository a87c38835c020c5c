"""What endpoints depend on: the framework runs plain functions in threads, which costs more than all they do."""

from collections.abc import Callable, Iterator
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from tests.support.running import make_app


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


def test_are_coroutines() -> None:
    routes = [context.original_route for context in iter_route_contexts(list(make_app([]).routes))]
    calls = {call for route in routes if (found := getattr(route, "dependant", None)) for call in _calls(found)}
    plain = [
        call for call in calls if isfunction(call) and not iscoroutinefunction(call) and not isasyncgenfunction(call)
    ]
    assert len(calls) > 100
    assert plain == []
