"""The web application with the entrance in front of all that the framework does."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp


class GatewayApplication(FastAPI):
    """An application whose requests pass an entrance before they reach the framework's own middleware.

    Args:
        entrance: wraps the framework's chain.
        options: the framework's own.
    """

    def __init__(self, entrance: Callable[[ASGIApp], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._entrance = entrance

    def build_middleware_stack(self) -> ASGIApp:
        """Build the chain; the framework calls this once."""
        return self._entrance(super().build_middleware_stack())
