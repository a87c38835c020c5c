"""Structured logs: one JSON object a line on standard output, for our own events and for libraries' alike."""

import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import orjson
import structlog

from app.telemetry.correlation import correlate


class Mirror(Protocol):
    """Gets every line too, as a structlog processor that changes nothing."""

    def __call__(self, logger: Any, method: str, event: Any, /) -> Any:
        """Take a line, and return it as it came."""


def configure_logging(level: str, stream: TextIO | None = None, mirror: Mirror | None = None) -> None:
    """Send all logs as JSON lines to `stream` (standard output by default), and to `mirror` if there is one.

    JSON escaping keeps control characters from breaking lines apart. Tracebacks carry no local variables, which may be
    secrets.
    """
    target = stream or sys.stdout
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        correlate,
    ]
    complete: list[Any] = [
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        *([mirror] if mirror is not None else []),
    ]
    rendered = structlog.processors.JSONRenderer(serializer=_serialize)
    processors = [*shared, *complete, rendered]
    as_usual = mirror is None and logging.getLevelNamesMapping()[level] <= logging.INFO
    # Past the standard library's records, which cost more than all the rest of a request that is answered from memory.
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=LineFactory(target, processors if as_usual else None),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[*complete, structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("httpx2", "httpcore2", "aiosqlite", "urllib3"):
        # These write URLs, which may hold credentials, and what goes to the database at their lower levels.
        logging.getLogger(name).setLevel(logging.WARNING)


class LineFactory:
    """Makes the loggers that write lines, and writes lines past the chain of processors.

    Args:
        stream: where to.
        chain: the processors, if lines of the level `info` get nothing but their level, the time, and the request that
            they belong to; None if there is more to them, or if they are not written at all.
    """

    def __init__(self, stream: TextIO, chain: list[Any] | None) -> None:
        self._lines = _Lines(stream)
        self._chain = chain or []
        self._as_usual = tuple(self._chain)

    def __call__(self, *_names: Any) -> "_Lines":
        """Return a logger."""
        return self._lines

    def write_info(self, event: str, fields: dict[str, Any]) -> bool:
        """Write a line as the chain would, in half the time; tell whether it was written.

        It is not where the chain has more to do or has been changed, nor where something in the line needs its help.

        Args:
            event: what happened.
            fields: what there is to say of it, in order; they hold no error and no time.
        """
        if not self._as_usual or tuple(self._chain) != self._as_usual:
            return False
        line = correlate(None, "info", {**fields, "event": event, "level": "info", "timestamp": datetime.now(UTC)})
        try:
            self._lines.msg(orjson.dumps(line, option=orjson.OPT_UTC_Z).decode())
        except TypeError:
            return False
        return True


class _Lines:
    """Writes each line whole and at once. One that cannot be written must not fail what it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._write(line)
        except UnicodeEncodeError:
            with suppress(OSError, ValueError):
                # Half a surrogate pair; its escape is that of JSON as well.
                self._write(line.encode("utf-8", "backslashreplace").decode())
        except (OSError, ValueError):
            return

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    debug = info = warning = error = critical = msg


def _serialize(event: Any, *, default: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:
        # Half a surrogate pair, a number beyond 64 bits, or a key that is no text.
        return json.dumps(event, ensure_ascii=False, default=default)
