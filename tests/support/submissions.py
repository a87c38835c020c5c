"""Messages and callers for tests of SMTP submission."""

from typing import Any

from app.gateway.context import Caller, RequestContext
from app.messages.models import Correspondent, Message
from app.tenants.models import Scope
from tests.support.relays import LOGIN
from tests.support.tenants import TRACE, make_smtp, make_tenant


def make_message(*to: str, **fields: Any) -> Message:
    """Return a short message to somebody."""
    recipients = tuple(map(Correspondent, to or ("anna@example.com",)))
    content = {"sender": Correspondent("news@acme.example"), "to": recipients, "subject": "Hi", "text": "Hello\n"}
    return Message(**{**content, **fields})


def make_caller(port: int, *, tenant_id: str = "acme", login: bool = False, **smtp: Any) -> Caller:
    """Return a tenant with a relay on loopback, with the login that relays know if it is to log in."""
    credentials = dict(zip(("username", "password"), LOGIN, strict=True)) if login else {}
    tenant = make_tenant(tenant_id=tenant_id, smtp=make_smtp(port, **{**credentials, **smtp}))
    return Caller(tenant, "all", frozenset(Scope), RequestContext("request-1", TRACE))
