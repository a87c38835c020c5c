"""Tickets of preflights, as steps of transactions: each lets one send through, once and for a while."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from app.storage.database.statements import Statement, Steps

_PREFIX = "pf_"
_KEPT_AFTER = 86_400.0
"""Seconds for which an expired or used ticket can still be told from an unknown one."""

_ISSUE = (
    "INSERT INTO preflight_tickets (sha256, tenant, digest, expires_at)"
    " VALUES (:sha256, :tenant, :digest, {now} + :seconds) RETURNING expires_at"
)
_USE = (
    "UPDATE preflight_tickets SET used_at = {now}, request_id = :request_id WHERE sha256 = :sha256"
    " AND tenant = :tenant AND digest = :digest AND used_at IS NULL AND expires_at > {now} RETURNING 1"
)
_LOOK = (
    "SELECT digest, used_at IS NOT NULL, request_id, expires_at <= {now} FROM preflight_tickets"
    " WHERE sha256 = :sha256 AND tenant = :tenant"
)

Fault = Literal["unknown", "used", "expired", "other_request"]


class TicketRefused(Exception):
    """A ticket does not let this through; `request_id` is that of the request which has used it."""

    def __init__(self, fault: Fault, request_id: str | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as a request shows it, and what that request is about to send."""

    text: str
    digest: str


def new_ticket() -> str:
    """Return the text of a new ticket."""
    return _PREFIX + secrets.token_urlsafe(24)


def issuing(tenant: str, ticket: Ticket, seconds: float) -> Steps[float]:
    """Make a ticket usable for so many seconds; return when it expires, in seconds since 1970."""
    values = {"sha256": _hashed(ticket.text), "tenant": tenant, "digest": ticket.digest, "seconds": seconds}
    (made,) = yield [Statement(_ISSUE, values)]
    expires_at: float = made[0][0]
    return expires_at


def using(tenant: str, ticket: Ticket, request_id: str) -> Steps[None]:
    """Use a ticket up.

    Raises:
        TicketRefused: it is unknown, used, expired, or another request's; it stays as it was.
    """
    about = {"sha256": _hashed(ticket.text), "tenant": tenant}
    (used,) = yield [Statement(_USE, {**about, "digest": ticket.digest, "request_id": request_id})]
    if used:
        return
    (found,) = yield [Statement(_LOOK, about)]
    if not found:
        raise TicketRefused("unknown")
    digest, is_used, user, is_expired = found[0]
    if is_used:
        raise TicketRefused("used", user)
    raise TicketRefused("expired" if is_expired or digest == ticket.digest else "other_request")


def forgetting(most: int) -> Steps[int]:
    """Delete some of the tickets that expired long ago; return how many."""
    chosen = "SELECT sha256 FROM preflight_tickets WHERE expires_at <= {now} - :kept LIMIT :most"
    sql = f"DELETE FROM preflight_tickets WHERE sha256 IN ({chosen}) RETURNING 1"
    (gone,) = yield [Statement(sql, {"most": most, "kept": _KEPT_AFTER})]
    return len(gone)


def _hashed(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
