"""Which request a log line belongs to, for lines whose writers do not know."""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

Fields = Mapping[str, str]

_CURRENT: ContextVar[Fields | None] = ContextVar("umail_gateway_request", default=None)


def begin(fields: Fields) -> "Token[Fields | None]":
    """Give these fields to every log line that the task, and what it starts, writes from now on; `end` stops that."""
    return _CURRENT.set(fields)


def end(token: "Token[Fields | None]") -> None:
    """Stop what `begin` began, in the same task."""
    _CURRENT.reset(token)


def correlate(_logger: Any, _method: str, event: Any) -> Any:
    """Add the request's fields to a log line, where it does not have them (a structlog processor)."""
    fields = _CURRENT.get()
    if fields is not None:
        for name, value in fields.items():
            event.setdefault(name, value)
    return event
