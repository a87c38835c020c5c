"""What HTTP says of cached answers: validators, ages and where they come from (RFC 9110, 9111 and 9211)."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.request_head import RequestHead
from app.api.sending import Headers
from app.gateway.cached_reads import PlannedRead, Reading, entry_of
from app.gateway.context import Caller
from app.policies.cache.model import NO_DIRECTIVES, CacheOutcome, Directives, Served, Windows
from app.tenants.models import Tenant

CACHE_NAME = "umail-gateway"

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_CACHING = frozenset({b"cache-control", b"pragma"})
_SECONDS = re.compile(r"[0-9]{1,9}")
_VARY = (b"vary", b"Authorization, X-API-Key, Accept, Accept-Encoding")
_JSON = (b"content-type", b"application/json")

_KEPT = frozenset({CacheOutcome.HIT, CacheOutcome.STALE})
_STATUS: Mapping[CacheOutcome, str] = {
    CacheOutcome.HIT: "hit",
    CacheOutcome.STALE: "hit",
    CacheOutcome.MISS: "fwd=uri-miss",
    CacheOutcome.COLLAPSED: "fwd=uri-miss; collapsed",
    CacheOutcome.FORCED: "fwd=request",
    CacheOutcome.BYPASS: "fwd=bypass",
    CacheOutcome.STALE_IF_ERROR: "fwd=stale; detail=stale-if-error",
}


def directives_of(head: RequestHead) -> Directives:
    """Read the request's `Cache-Control` (RFC 9111, section 5.2.1); what cannot be understood is passed over."""
    if not head.names(_CACHING):
        return NO_DIRECTIVES
    given = _parsed(value.decode("latin-1") for value in head.all(b"cache-control"))
    if not given and b"no-cache" in (head.get(b"pragma") or b"").lower():
        given = {"no-cache": ""}
    max_age = given.get("max-age")
    return Directives(
        no_cache="no-cache" in given,
        no_store="no-store" in given,
        max_age=float(max_age) if max_age and _SECONDS.fullmatch(max_age) else None,
        only_if_cached="only-if-cached" in given,
    )


def _parsed(values: Iterable[str]) -> dict[str, str]:
    directives: dict[str, str] = {}
    for part in ",".join(values).split(","):
        name, _, value = part.partition("=")
        directives.setdefault(name.strip().lower(), value.strip().strip('"'))
    directives.pop("", None)
    return directives


def matches(if_none_match: str, etag: str) -> bool:
    """Tell whether a request that names entity tags has the answer already (RFC 9110, section 13.1.2)."""
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)


def composed(content: bytes, parts: Sequence[Served], *headers: tuple[str, str], is_whole: bool = True) -> Served:
    """Return an answer made of several reads: as old as the oldest, fresh as long as all are, a hit if all are hits."""
    age = max(part.age for part in parts)
    left = min(part.entry.windows.fresh - part.age for part in parts)
    windows = Windows(age + max(left, 0.0) if is_whole else 0.0, 0.0, 0.0)
    outcome = CacheOutcome.HIT if all(part.outcome in _KEPT for part in parts) else CacheOutcome.MISS
    return Served(entry_of(content, windows, headers), outcome, age, stored=False, shared=False)


class CachedResponse(Response):
    """A cached or fetched answer as HTTP sends it: 200, or 304 to a client that has it already.

    `no-cache` tells clients to ask again before they use their own copy: the gateway drops what a change makes
    invalid, but cannot reach into a browser. `max-age` is how long the gateway itself keeps it.
    """

    def __init__(self, served: Served, head: RequestHead) -> None:
        answer = served.entry
        tags = head.all(b"if-none-match")
        asked = b", ".join(tags).decode("latin-1")
        unchanged = bool(tags) and matches(asked, answer.etag)
        # Who has the compressed form keeps it under its own tag.
        etag = f"W/{answer.etag}" if unchanged and f"W/{answer.etag}" in asked else answer.etag
        self.status_code = 304 if unchanged else 200
        self.body = b"" if unchanged else answer.body
        self.background = None
        length = None if unchanged else len(answer.body)
        self.raw_headers = [
            *_lasting(etag, answer.windows.fresh, answer.headers, length),
            (b"age", b"%d" % served.age),
            (b"cache-status", _cache_status(served).encode("ascii")),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


@lru_cache(maxsize=10_000)
def _lasting(etag: str, fresh: float, further: tuple[tuple[str, str], ...], length: int | None) -> Headers:
    """Write those headers of an answer that stay the same as long as it is kept; those of a body have its length."""
    headers = (
        (b"etag", etag.encode("ascii")),
        (b"cache-control", b"private, no-cache, max-age=%d" % fresh),
        _VARY,
        *[(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in further],
    )
    return headers if length is None else (*headers, _JSON, (b"content-length", b"%d" % length))


def _cache_status(served: Served) -> str:
    status = _STATUS[served.outcome]
    if served.outcome in _KEPT:
        return f"{CACHE_NAME}; {status}; ttl={int(served.entry.windows.fresh - served.age)}"
    return f"{CACHE_NAME}; {status}; stored" if served.stored else f"{CACHE_NAME}; {status}"


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
