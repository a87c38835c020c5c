"""The short way of a read that is repeated: past routing and validation.

A request line that has led one caller of a tenant to a read leads every caller of that tenant with the same scopes
there again: routing and validation depend on nothing else. So it is remembered, and what is not kept any more is read
from here, too.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from starlette.types import Scope, Send

from app.api.caching import cached_message, directives_of
from app.api.entrance.head import RequestHead
from app.gateway.context import Caller
from app.gateway.reading import PlannedRead, Reading
from app.policies.cache.model import NO_DIRECTIVES
from app.tenants import models
from app.tenants.models import Tenant

Scopes = frozenset[models.Scope]

_JSON_MEDIA_TYPES = frozenset({b"*/*", b"application/json", b"application/*"})
DEMANDING = frozenset({b"prefer", b"range", b"if-match", b"content-length", b"transfer-encoding", b"expect"})
"""Headers that may ask for more than a plain read."""


class Known(NamedTuple):
    """Where a request line leads: whose read it is, what is read, and which route would have been taken."""

    tenant: Tenant
    planned: PlannedRead
    route: Any


class KnownReads:
    """Remembers where request lines lead.

    Args:
        most: how many are remembered at most; the least recently used go first.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: OrderedDict[tuple[Any, ...], Known] = OrderedDict()

    def remember(self, scope: Scope, caller: Caller, planned: PlannedRead) -> None:
        """Remember what is read for a request that has been checked in full."""
        line = _line(scope, caller.tenant, caller.scopes)
        self._known[line] = Known(caller.tenant, planned, scope.get("route"))
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def recall(self, scope: Scope, tenant: Tenant, scopes: Scopes) -> Known | None:
        """Return where a request line has led a caller with these scopes; None after the tenant has been edited."""
        line = _line(scope, tenant, scopes)
        known = self._known.get(line)
        if known is None:
            return None
        if known.tenant is not tenant:
            del self._known[line]
            return None
        self._known.move_to_end(line)
        return known


def _line(scope: Scope, tenant: Tenant, scopes: Scopes) -> tuple[Any, ...]:
    return tenant.id, scopes, scope["path"], scope["query_string"]


class Shortcut:
    """Answers reads that have been asked for before.

    Args:
        known: where request lines lead.
        reading: reads.
    """

    def __init__(self, known: KnownReads, reading: Reading) -> None:
        self._known = known
        self._reading = reading

    async def answer(self, scope: Scope, head: RequestHead, caller: Caller, send: Send) -> bool:
        """Answer a read, if it is a plain one of JSON and known; tell whether it was.

        Raises:
            GatewayError: it was, and there is no answer.
        """
        known = self._known.recall(scope, caller.tenant, caller.scopes)
        if known is None or head.names(DEMANDING) or not takes_json(head):
            return False
        scope["route"] = known.route
        directives = directives_of(head)
        served = self._reading.find_local(known.planned) if directives is NO_DIRECTIVES else None
        if served is None:
            served = await self._reading.read(known.planned, caller, directives)
        caller.context.cache_outcome = served.outcome
        message = cached_message(served, if_none_match(head))
        await send({"type": "http.response.start", "status": message.status, "headers": message.headers})
        await send({"type": "http.response.body", "body": message.body})
        return True


def takes_json(head: RequestHead) -> bool:
    """Tell whether a request takes JSON, and says so in the simplest way."""
    return _JSON_MEDIA_TYPES.issuperset(head.all(b"accept"))


def if_none_match(head: RequestHead) -> str | None:
    """Return the entity tags that a request names; None if it names none."""
    tags = head.all(b"if-none-match")
    return b", ".join(tags).decode("latin-1") if tags else None
