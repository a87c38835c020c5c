"""One of several worker processes."""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import structlog
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from app.telemetry.logs import configure_logging
from app.telemetry.workers import join_workers
from app.wiring.edge import build_log_export

_ALLOCATIONS = 20_000
"""Allocations, less deallocations, before the youngest objects are looked through for garbage."""


def application() -> FastAPI:
    """Build the gateway as the environment says, in a process of its own."""
    settings = Settings()
    logs = build_log_export(settings)
    configure_logging(settings.log_level, mirror=logs, form=settings.log_format)
    app = create_app(settings, workers=join_workers(), around=_announced(logs.running() if logs else nullcontext()))
    settle_memory()
    return app


@asynccontextmanager
async def _announced(around: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
    async with around:
        structlog.get_logger("app.start").info("worker_started", pid=os.getpid())
        yield


def settle_memory() -> None:
    """Leave what is loaded by now out of garbage collection: looking through it would stop all requests for 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)
