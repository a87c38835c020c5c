"""Trying a tenant's U-Mail login with a call that changes nothing (manual, section 1.1)."""

from app.admin.schemas import Probe
from app.errors import GatewayError, UpstreamCredentialsRejected
from app.gateway.call import Gateway
from app.gateway.context import Caller, RequestContext
from app.resources.account.operations import GET_ACCOUNT
from app.tenants.models import Scope, Tenant

_KEY = "admin"


class Prober:
    """Tries logins.

    Args:
        gateway: calls the platform.
        context: the request on whose behalf.
    """

    def __init__(self, gateway: Gateway, context: RequestContext) -> None:
        self._gateway = gateway
        self._context = context

    async def probe(self, tenant: Tenant) -> Probe:
        """Return what the platform says to a tenant's login."""
        caller = Caller(tenant, _KEY, frozenset({Scope.READ}), self._context)
        try:
            await self._gateway.call(GET_ACCOUNT, None, caller)
        except UpstreamCredentialsRejected as error:
            return Probe(outcome="refused", detail=error.detail)
        except GatewayError as error:
            return Probe(outcome="unknown", detail=error.detail)
        return Probe(outcome="accepted")
