"""The connections to platforms: a pool that looks at the address it has reached before a byte leaves."""

from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2
import structlog

from app.tenants.destinations import Destinations

log = structlog.get_logger(__name__)


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """An HTTP transport that connects only where it is allowed to.

    Args:
        destinations: decides about the address a connection has really reached, so that a name that stands for
            another address than a moment ago gains nothing.
        connections: connections at once, kept ones included.
    """

    def __init__(self, destinations: Destinations, *, connections: int) -> None:
        context = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # The library's own constructor takes no backend.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=httpx2.Limits().keepalive_expiry,
            network_backend=_GuardedBackend(destinations),
        )


class _GuardedBackend(httpcore2.AnyIOBackend):
    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        reached = stream.get_extra_info("server_addr")
        if reached and self._destinations.allows(str(reached[0])):
            return stream
        await stream.aclose()
        if not reached:
            raise httpcore2.ConnectError("the connection broke before anything was sent")
        log.warning("destination_refused", host=host, port=port)
        raise httpcore2.ConnectError("the address is not allowed")
