"""Asking the platform in the background, on a tenant's behalf."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.gateway.context import Caller, RequestContext
from app.gateway.operation import In, Operation, Out
from app.tenants.models import Scope, Tenant

_WATCHER = "events"


@dataclass(frozen=True, slots=True)
class WatchedAccount:
    """A tenant's account as watchers see it."""

    tenant: Tenant
    gateway: Gateway
    clock: PlatformClock

    def now(self) -> datetime:
        """Return the time on the platform's own clock."""
        return self.clock.present(self.tenant.upstream.base_url)

    async def ask(self, operation: Operation[In, Out], request: In) -> Out:
        """Send one request, past the cache: an older answer than the last one would tell of things twice.

        Raises:
            GatewayError: the platform did not answer as promised, or callers need all there is to send with.
        """
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
        context = RequestContext(uuid.uuid4().hex, trace, background=True)
        return await self.gateway.call(operation, request, Caller(self.tenant, _WATCHER, frozenset(Scope), context))
