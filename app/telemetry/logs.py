"""Structured logs: one chain for our events and those of libraries, as JSON or, on a terminal, for people."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Any, Literal, Protocol, TextIO

import orjson
import structlog

Fields = Mapping[str, str]
LogFormat = Literal["auto", "json", "console"]

_CURRENT: ContextVar[Fields | None] = ContextVar("umail_gateway_request", default=None)
_QUIET = ("alembic", "httpx2", "httpcore2", "aiosqlite", "urllib3", "uvicorn.error")
"""These write URLs, which may hold credentials, database traffic and chatter at their lower levels."""
_STATUS_COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}
_RESET = "\x1b[0m"


class Mirror(Protocol):
    """Receives every line too, as a structlog processor that changes nothing."""

    def __call__(self, logger: Any, method: str, event: Any, /) -> Any:
        """Take a line, and return it unchanged."""


def configure_logging(
    level: str, stream: TextIO | None = None, mirror: Mirror | None = None, form: LogFormat = "json"
) -> None:
    """Send all logs to `stream` (standard output by default), and to `mirror` if there is one.

    JSON escaping keeps control characters from breaking lines apart. Tracebacks carry no local variables, which may be
    secrets.
    """
    target = stream or sys.stdout
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        correlate,
        *([mirror] if mirror is not None else []),
    ]
    rendering = _rendering(target, form)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: _Lines(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def begin_correlation(fields: Fields) -> "Token[Fields | None]":
    """Give these fields to every log line that the task, and what it starts, writes from now on."""
    return _CURRENT.set(fields)


def end_correlation(token: "Token[Fields | None]") -> None:
    """Stop what `begin_correlation` began, in the same task."""
    _CURRENT.reset(token)


def correlate(_logger: Any, _method: str, event: Any) -> Any:
    """Add the request's fields to a log line that lacks them (a structlog processor)."""
    for name, value in (_CURRENT.get() or {}).items():
        event.setdefault(name, value)
    return event


def is_for_people(stream: TextIO, form: LogFormat) -> bool:
    """Tell whether lines are written for people: on request, or because the stream is a terminal."""
    return form == "console" or (form == "auto" and stream.isatty())


def _rendering(stream: TextIO, form: LogFormat) -> list[Any]:
    if is_for_people(stream, form):
        colours = stream.isatty()
        console = structlog.dev.ConsoleRenderer(
            colors=colours, pad_event_to=28, exception_formatter=structlog.dev.plain_traceback
        )
        return [_Escaping(), _RequestLines(console, colours=colours)]
    tracebacks = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    )
    return [tracebacks, structlog.processors.JSONRenderer(serializer=_serialize)]


class _Escaping:
    """Escapes what could steer a terminal."""

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        return {name: _escaped(value) if name != "exc_info" else value for name, value in event.items()}


class _RequestLines:
    """Writes requests in one short line, and leaves everything else to the console renderer."""

    def __init__(self, console: structlog.dev.ConsoleRenderer, *, colours: bool) -> None:
        self._console = console
        self._colours = colours

    def __call__(self, logger: Any, method: str, event: Any) -> str:
        if event.get("event") != "request":
            return self._console(logger, method, event)
        status = event["http.response.status_code"]
        marked = f"{_STATUS_COLOURS.get(status // 100, '')}{status}{_RESET}" if self._colours else str(status)
        words = [
            str(event["timestamp"])[11:19],
            f"{event['http.request.method']:<6}",
            event["url.path"],
            marked,
            f"{event['duration_ms']:.0f} ms",
            "/".join(filter(None, (event["tenant"], event["key"]))),
            ": ".join(filter(None, (event["error.type"], event["reason"]))),
        ]
        return " ".join(filter(None, words))


class _Lines:
    """Writes each line whole and at once. One that cannot be written must not fail what it reports."""

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


def _escaped(value: Any) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def _serialize(event: Any, *, default: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:
        # Half a surrogate pair, a number beyond 64 bits, or a key that is no text.
        return json.dumps(event, ensure_ascii=False, default=default)
