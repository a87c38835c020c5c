"""The short way of a read that is repeated: from the request's line to the kept answer, past routing and validation.

A request line that has led one caller of a tenant to a place in the cache leads every caller of that tenant with the
same scopes there again: routing and validation depend on nothing else. So it is remembered, and only what is not kept
any more goes the long way.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.caching import cached_message
from app.gateway.context import Caller, RequestContext
from app.gateway.reading import Reading
from app.policies.cache.model import Place
from app.tenants.models import Tenant

_JSON_MEDIA_TYPES = frozenset({b"*/*", b"application/json", b"application/*"})
_DEMANDING = frozenset({b"cache-control", b"pragma", b"prefer", b"range", b"if-match", b"content-length", b"expect"})
"""Headers that may ask for more than a plain read."""


@dataclass(frozen=True, slots=True)
class _Known:
    tenant: Tenant
    place: Place
    route: Any


class KnownReads:
    """Remembers where request lines lead.

    Args:
        most: how many are remembered at most; the least recently used go first.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: OrderedDict[tuple[Any, ...], _Known] = OrderedDict()

    def remember(self, scope: Scope, caller: Caller, place: Place) -> None:
        """Remember that a request, which has been checked in full, is answered from `place`."""
        self._known[_line(scope, caller)] = _Known(caller.tenant, place, scope.get("route"))
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def recall(self, scope: Scope, caller: Caller) -> _Known | None:
        """Return where a request line has led a caller like this one; None after the tenant has been edited."""
        line = _line(scope, caller)
        known = self._known.get(line)
        if known is None:
            return None
        if known.tenant is not caller.tenant:
            del self._known[line]
            return None
        self._known.move_to_end(line)
        return known


def _line(scope: Scope, caller: Caller) -> tuple[Any, ...]:
    return caller.tenant.id, caller.scopes, scope["path"], scope["query_string"]


class KnownReadsMiddleware:
    """Answers reads whose answers are at hand; everything else goes on as it came.

    Args:
        app: the application.
        known: where request lines lead.
        reading: gives what is kept.
    """

    def __init__(self, app: ASGIApp, *, known: KnownReads, reading: Reading) -> None:
        self._app = app
        self._known = known
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or scope["method"] != "GET" or not await self._answered(scope, send):
            await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, send: Send) -> bool:
        context: RequestContext = scope["state"]["context"]
        if context.caller is None or (known := self._known.recall(scope, context.caller)) is None:
            return False
        plain, if_none_match = _wants(scope["headers"])
        if not plain:
            return False
        served = self._reading.find_local(known.place) or await self._reading.find(known.place)
        if served is None or not served.answer.found:
            return False
        scope["route"] = known.route
        context.cache_outcome = served.outcome
        status, headers, body = cached_message(served, if_none_match)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return True


def _wants(headers: list[tuple[bytes, bytes]]) -> tuple[bool, str | None]:
    """Tell whether a plain read of JSON is wanted, and which entity tags the client has."""
    if_none_match: list[str] = []
    for name, value in headers:
        if name == b"accept":
            if value not in _JSON_MEDIA_TYPES:
                return False, None
        elif name == b"if-none-match":
            if_none_match.append(value.decode("latin-1"))
        elif name in _DEMANDING:
            return False, None
    return True, ", ".join(if_none_match) if if_none_match else None
