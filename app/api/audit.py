"""Pure ASGI middleware that writes changes, and what operators do, into the audit log."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from urllib.parse import unquote

from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gateway.context import RequestContext
from app.telemetry.audit_entry import Entry, Pseudonyms
from app.telemetry.audit_log import Trail

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ADMIN = "/admin/v1/"
_TRACE_ID = slice(3, 35)


class AuditMiddleware:
    """Records every change under `/v1`, and everything under `/admin/v1`, refused attempts included.

    It stands outside of everything that answers a request. Reads pass through untouched.

    Args:
        app: the application.
        trail: where entries go.
        pseudonyms: makes targets fit to be written down.
        now: returns the current time in UTC.
    """

    def __init__(self, app: ASGIApp, *, trail: Trail, pseudonyms: Pseudonyms, now: Callable[[], datetime]) -> None:
        self._app = app
        self._trail = trail
        self._pseudonyms = pseudonyms
        self._now = now
        self._endpoints: Endpoints | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not _is_audited(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def noting(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._trail.record(self._entry(scope, start))

    def _entry(self, scope: Scope, start: Message | None) -> Entry:
        context: RequestContext = scope["state"]["context"]
        caller = context.caller
        tenant = caller.tenant.id if caller else None
        headers = Headers(raw=start["headers"]) if start else Headers()
        operation, targets = self._found(scope)
        targets |= context.audit_targets or {}
        if "location" in headers:
            targets["created"] = unquote(headers["location"].rpartition("/")[2])
        return Entry(
            time=self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            tenant=tenant,
            key="admin" if context.is_operator else (caller.key_id if caller else None),
            client=context.client_address,
            method=scope["method"],
            operation=operation,
            targets={name: self._pseudonyms.of(value, tenant) for name, value in targets.items()},
            status=start["status"] if start else None,
            code=context.problem_code,
            replayed=headers.get("idempotency-replayed") == "true",
            request_id=context.request_id,
            trace_id=context.traceparent[_TRACE_ID],
        )

    def _found(self, scope: Scope) -> tuple[str | None, dict[str, str]]:
        if self._endpoints is None:
            # Only now are all of them there.
            self._endpoints = Endpoints(scope["app"].routes)
        return self._endpoints.find(scope["method"], scope["path"])


def _is_audited(method: str, path: str) -> bool:
    return (method in _CHANGES and path.startswith("/v1/")) or path.startswith(_ADMIN)


class Endpoints:
    """Finds which endpoint a request is for, also where it was refused before it was routed.

    Args:
        routes: the application's.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_method: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for route in iter_route_contexts(list(routes)):
            if route.path is None or route.name is None:
                continue
            pattern = compile_path(route.path)[0]
            for method in getattr(route, "methods", None) or ():
                self._by_method.setdefault(method, []).append((pattern, route.name))

    def find(self, method: str, path: str) -> tuple[str | None, dict[str, str]]:
        """Return an endpoint's name and what the path says for its parameters; None and nothing if there is none."""
        for pattern, name in self._by_method.get(method, ()):
            if match := pattern.match(path):
                return name, dict(match.groupdict())
        return None, {}
