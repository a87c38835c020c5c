"""Requests that the gateway makes of itself for a caller whom it has let in, as agents' tools do."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import refuse
from app.api.rate_limits import count_request
from app.api.routing import FOUND_ROUTE, ResourceRoute
from app.errors import GatewayError, NotFound
from app.gateway.context import Caller
from app.policies.rate_limits import RateLimiter
from app.telemetry.observer import TelemetryObserver


class InnerMiddleware:
    """Treats an inner request as the edge treats one from outside, once its caller is known.

    It counts against the limits, and only who may use its route gets there.
    """

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, observer: TelemetryObserver) -> None:
        self._app = app
        self._limiter = limiter
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        caller: Caller = scope["state"]["context"].caller
        try:
            await count_request(self._limiter, caller, self._observer)
            route, _ = scope["app"].route_table.find(scope["method"], scope["path"])
            if not isinstance(route, ResourceRoute):
                raise NotFound("There is nothing at this path.")
            route.authorize(caller)
            scope[FOUND_ROUTE] = route
        except GatewayError as error:
            await refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerRequest:
    """A request of the API's, its path without the values that are quoted."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def scope(self, outer: Scope, caller: Caller) -> Scope:
        """Return the ASGI scope of this request, made while an outer one is answered."""
        context = replace(
            caller.context,
            caller=None,
            write=None,
            idempotency_key=None,
            problem_code=None,
            refusal=None,
            audit_targets=None,
            cache_outcome=None,
            scopes=frozenset(),
        )
        context.caller = caller._replace(context=context)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        headers += [each for each in outer["headers"] if each[0] in {b"host", b"accept-language"}]
        if self.body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        return {
            "type": "http",
            "asgi": outer["asgi"],
            "http_version": "1.1",
            "scheme": outer["scheme"],
            "method": self.method,
            "path": self.path,
            "raw_path": quote(self.path).encode(),
            "root_path": "",
            "query_string": urlencode(self.query).encode(),
            "headers": headers,
            "client": outer["client"],
            "server": outer["server"],
            "app": outer["app"],
            "state": {"context": context, "places": outer["state"]["places"]},
        }


@dataclass(slots=True)
class InnerAnswer:
    """What an inner request was answered with; the body is empty where it was taken piece by piece."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


async def make_request(
    request: InnerRequest, outer: Scope, caller: Caller, take: Callable[[bytes], None] | None = None
) -> InnerAnswer:
    """Make a request in a caller's name; `take`, if given, gets a successful answer's body as it comes.

    Raises:
        app.api.responses.ResponseAborted: the answer had begun and broke off.
    """
    answer = InnerAnswer()
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            # Whoever asks again waits for the client's going away; this one stays.
            await asyncio.Future[None]()
        sent = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        elif take is not None and answer.status < 400:
            take(message.get("body", b""))
        else:
            answer.body += message.get("body", b"")

    scope = request.scope(outer, caller)
    await outer["app"].inner(scope, receive, send)
    caller.context.quotas = scope["state"]["context"].quotas or caller.context.quotas
    return answer
