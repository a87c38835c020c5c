"""The fast path: a read that was asked before skips the router.

Routing and validation depend on the request line, the tenant and the scopes alone. Where they have led to a read once,
they lead to the same read again, whether its answer is cached or not.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from starlette.types import Scope

from app.api.caching import CachedResponse, directives_of
from app.api.request_head import RequestHead
from app.gateway.cached_reads import PlannedRead, Reading
from app.gateway.context import Caller
from app.tenants.models import Tenant

_JSON_MEDIA_TYPES = frozenset({b"*/*", b"application/json", b"application/*"})
_DEMANDING = frozenset({b"prefer", b"range", b"if-match", b"content-length", b"transfer-encoding", b"expect"})
"""Headers that may ask for more than a plain read."""

_PLANNED = "planned_read"


def note_planned(scope: Scope, planned: PlannedRead) -> None:
    """Note the read that a request, checked in full, has been led to."""
    scope["state"][_PLANNED] = planned


class _Known(NamedTuple):
    tenant: Tenant
    planned: PlannedRead
    route: Any


class FastPath:
    """Remembers where request lines lead, the most recently used first."""

    def __init__(self, reading: Reading, *, most: int = 10_000) -> None:
        self._reading = reading
        self._most = most
        self._known: OrderedDict[tuple[Any, ...], _Known] = OrderedDict()

    def remember(self, scope: Scope, caller: Caller) -> None:
        """Remember where a request has been led, if that is to a read."""
        planned = scope["state"].get(_PLANNED)
        if planned is None:
            return
        self._known[_line(scope, caller)] = _Known(caller.tenant, planned, scope.get("route"))
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    async def answer(self, scope: Scope, head: RequestHead, caller: Caller) -> CachedResponse | None:
        """Return the answer to a plain read of JSON that is known; None sends the request through the router.

        Raises:
            GatewayError: it is known, and there is no answer.
        """
        if scope["method"] != "GET" or head.names(_DEMANDING) or not _JSON_MEDIA_TYPES.issuperset(head.all(b"accept")):
            return None
        known = self._find(scope, caller)
        if known is None:
            return None
        scope["route"] = known.route
        served = await self._reading.read(known.planned, caller, directives_of(head))
        return CachedResponse(served, head)

    def _find(self, scope: Scope, caller: Caller) -> _Known | None:
        line = _line(scope, caller)
        known = self._known.get(line)
        if known is None:
            return None
        if known.tenant is not caller.tenant:
            # The tenant has been edited: its answers are kept elsewhere now.
            del self._known[line]
            return None
        self._known.move_to_end(line)
        return known


def _line(scope: Scope, caller: Caller) -> tuple[Any, ...]:
    return caller.tenant.id, caller.scopes, scope["path"], scope["query_string"]
