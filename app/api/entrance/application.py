"""The web application with the entrance in front of all that the framework does."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from app.api.entrance.first_step import FirstStep


class GatewayApplication(FastAPI):
    """An application whose requests pass an entrance before they reach the framework's own middleware.

    Args:
        entrance: wraps the framework's chain.
        first_step: the entrance's first step, if it has one; the server's protocol may take it ahead of the rest.
        options: the framework's own.
    """

    def __init__(self, entrance: Callable[[ASGIApp], ASGIApp], first_step: FirstStep | None, **options: Any) -> None:
        super().__init__(**options)
        self.first_step = first_step
        self._entrance = entrance

    def build_middleware_stack(self) -> ASGIApp:
        """Build the chain; the framework calls this once."""
        stack = super().build_middleware_stack()
        # What nobody foresaw is answered by the entrance, which knows whether anything has been answered yet.
        return self._entrance(stack.app if isinstance(stack, ServerErrorMiddleware) else stack)
