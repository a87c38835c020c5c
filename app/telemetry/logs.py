"""Structured logs: one JSON object a line on standard output, for our own events and for libraries' alike."""

import logging
import sys
from typing import Any, TextIO

import structlog


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send all logs as JSON lines to `stream` (standard output by default).

    JSON escaping keeps control characters from breaking lines apart. Tracebacks carry no local variables, which may be
    secrets.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("httpx2", "httpcore2"):
        # These write URLs, which may hold credentials, at their lower levels.
        logging.getLogger(name).setLevel(logging.WARNING)
