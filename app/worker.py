"""One of several worker processes."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from app.loading import loading

if TYPE_CHECKING:
    from fastapi import FastAPI

_ALLOCATIONS = 20_000
"""Objects that may be made, beyond those that have gone, before the youngest are looked through."""


def application() -> FastAPI:
    """Build the gateway as the environment says, in a process of its own."""
    with loading():
        from app.main import create_app  # noqa: PLC0415
        from app.settings import Settings  # noqa: PLC0415
        from app.telemetry.logs import configure_logging  # noqa: PLC0415
        from app.telemetry.workers import join_workers  # noqa: PLC0415
        from app.wiring.telemetry import build_log_export  # noqa: PLC0415

    settings = Settings()
    logs = build_log_export(settings)
    configure_logging(settings.log_level, mirror=logs)
    app = create_app(settings, workers=join_workers(), around=logs.running() if logs else None)
    settle_memory()
    return app


def settle_memory() -> None:
    """Leave what is loaded by now out of garbage collection.

    It stays anyway, and looking through it would stop all requests for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    # The default, made for programs that allocate little, has every request look through the others' objects.
    gc.set_threshold(_ALLOCATIONS, 10, 10)
