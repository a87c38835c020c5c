"""Letting web pages of named origins use the API (CORS)."""

from collections.abc import Sequence
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.sending import security_headers

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_ALLOWED = (
    "Authorization",
    "Cache-Control",
    "Idempotency-Key",
    "If-None-Match",
    "Mcp-Method",
    "Mcp-Name",
    "MCP-Protocol-Version",
    "Prefer",
    "Preflight-Ticket",
    "Request-Timeout",
    "traceparent",
    "X-API-Key",
    "X-Request-ID",
)
_EXPOSED = (
    "Age",
    "Cache-Status",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "traceparent",
    "X-Request-ID",
)


class CrossOriginMiddleware(CORSMiddleware):
    """Answers preflights before anything is authenticated, and lets the pages of some origins read answers.

    Never with credentials of the browser's own: pages send a key themselves, in a header. What operators use is left
    out.

    Args:
        origins: the origins, or `*` alone for all.
    """

    def __init__(self, app: ASGIApp, *, origins: Sequence[str]) -> None:
        super().__init__(
            app, allow_origins=origins, allow_methods=_METHODS, allow_headers=_ALLOWED, expose_headers=_EXPOSED
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or scope["path"].startswith("/admin/"):
            await self.app(scope, receive, send)
        elif self.allow_all_origins or any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
        else:
            # What is kept of this answer must not be given to a page of another origin either.
            await self.app(scope, receive, partial(_with_vary, send))

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        response.headers["Cache-Control"] = "no-store"
        response.raw_headers.extend(security_headers(response.raw_headers))
        return response


async def _with_vary(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        MutableHeaders(scope=message).add_vary_header("Origin")
    await send(message)
