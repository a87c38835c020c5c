"""Pure ASGI middleware that writes changes, and what operators do, into the audit log."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InsufficientScope
from app.gateway.context import RequestContext
from app.telemetry.audit_log import AuditEntry, AuditLog, Pseudonyms

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ADMIN = "/admin/v1/"
_STATUS_PAGE = "/admin/"
AGENTS = "/mcp"
"""Where agents ask for tools; what a tool changes is recorded as the request that it makes."""
_TRACE_ID = slice(3, 35)


class AuditMiddleware:
    """Records changes under `/v1` and on the status page, and all of `/admin/v1`, refused attempts included.

    It stands outside of everything that answers a request. Reads pass through untouched; tools that agents may not use
    are recorded as they are refused.
    """

    def __init__(self, app: ASGIApp, *, trail: AuditLog, pseudonyms: Pseudonyms, now: Callable[[], datetime]) -> None:
        self._app = app
        self._trail = trail
        self._pseudonyms = pseudonyms
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not (_is_audited(scope["method"], scope["path"]) or scope["path"] == AGENTS):
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
            if scope["path"] != AGENTS or _is_refused_tool(scope["state"]["context"]):
                self._trail.record(self._entry(scope, start))

    def _entry(self, scope: Scope, start: Message | None) -> AuditEntry:
        context: RequestContext = scope["state"]["context"]
        caller = context.caller
        tenant = caller.tenant.id if caller else None
        headers = Headers(raw=start["headers"]) if start else Headers()
        operation, targets = self._found(scope)
        operation = operation or context.tool
        targets |= context.audit_targets or {}
        if "location" in headers:
            targets["created"] = unquote(headers["location"].rpartition("/")[2])
        return AuditEntry(
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
            tool=context.tool,
        )

    def _found(self, scope: Scope) -> tuple[str | None, dict[str, str]]:
        route, parameters = scope["app"].route_table.find(scope["method"], scope["path"])
        return (route.name if route else None), parameters


def _is_refused_tool(context: RequestContext) -> bool:
    return context.tool is not None and context.problem_code == InsufficientScope.code


def _is_audited(method: str, path: str) -> bool:
    return (method in _CHANGES and path.startswith(("/v1/", _STATUS_PAGE))) or path.startswith(_ADMIN)
