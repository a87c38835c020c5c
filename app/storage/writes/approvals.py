"""Who wrote what a campaign sends, and tickets to release it with."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from app.storage.database.statements import Statement, Steps

_FIND = (
    "SELECT author, editor, preflighted, version FROM campaign_authors"
    " WHERE tenant = :tenant AND campaign_id = :campaign_id"
)
_CREATE = (
    "INSERT INTO campaign_authors (tenant, campaign_id, author, editor, preflighted, version, updated_at)"
    " VALUES (:tenant, :campaign_id, :person, :person, :preflighted, 1, {now})"
    " ON CONFLICT (tenant, campaign_id) DO UPDATE SET author = excluded.author,"
    " version = campaign_authors.version + 1, updated_at = excluded.updated_at"
    " WHERE campaign_authors.author IS NULL"
)
_CHANGE = (
    "INSERT INTO campaign_authors (tenant, campaign_id, author, editor, preflighted, version, updated_at)"
    " VALUES (:tenant, :campaign_id, :author, :editor, 0, 1, {now})"
    " ON CONFLICT (tenant, campaign_id) DO UPDATE SET author = coalesce(campaign_authors.author, excluded.author),"
    " editor = coalesce(excluded.editor, campaign_authors.editor),"
    " preflighted = CASE WHEN excluded.editor IS NULL THEN campaign_authors.preflighted ELSE 0 END,"
    " version = campaign_authors.version + 1, updated_at = excluded.updated_at"
    " WHERE campaign_authors.version = :version RETURNING version"
)
_SETTLE = (
    "UPDATE campaign_authors SET editor = :editor"
    " WHERE tenant = :tenant AND campaign_id = :campaign_id AND version = :version"
)


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


class CampaignChanged(Exception):
    """Somebody has changed or released the campaign meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who made a campaign and who last changed it, as far as that is known.

    Args:
        author: the person who made it; None if it was made elsewhere.
        editor: the person who last changed it, or whoever may have, a line each.
        preflighted: whether it was made with a ticket and is as the preflight found it.
        version: grows with every change and release; 0 for a campaign of which nothing is known.
    """

    author: str | None = None
    editor: str | None = None
    preflighted: bool = False
    version: int = 0


def finding_author(tenant: str, campaign_id: int) -> Steps[Authorship]:
    (found,) = yield [Statement(_FIND, {"tenant": tenant, "campaign_id": campaign_id})]
    if not found:
        return Authorship()
    author, editor, preflighted, version = found[0]
    return Authorship(author, editor, bool(preflighted), version)


def noting_author(tenant: str, campaign_id: int, person: str, *, preflighted: bool) -> Steps[None]:
    """Write down who made a campaign; whoever has changed it meanwhile stays its last editor."""
    values = {"tenant": tenant, "campaign_id": campaign_id, "person": person, "preflighted": int(preflighted)}
    yield [Statement(_CREATE, values)]


def noting_change(
    tenant: str, campaign_id: int, before: Authorship, *, author: str | None = None, editor: str | None = None
) -> Steps[None]:
    """Write down that a campaign is changed by an editor or, without one, released.

    Raises:
        CampaignChanged: it is not any more as it was `before`.
    """
    values = {
        "tenant": tenant,
        "campaign_id": campaign_id,
        "author": before.author or author,
        "editor": editor,
        "version": before.version,
    }
    (changed,) = yield [Statement(_CHANGE, values)]
    if not changed:
        raise CampaignChanged


def settling_editor(tenant: str, campaign_id: int, before: Authorship, editor: str | None) -> Steps[None]:
    """Write down who was the last editor, once it is known what became of the change that `noting_change` wrote down.

    Where the campaign has been changed or released since, nothing happens.
    """
    values = {"tenant": tenant, "campaign_id": campaign_id, "version": before.version + 1, "editor": editor}
    yield [Statement(_SETTLE, values)]


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
    return _PREFIX + secrets.token_urlsafe(24)


def issuing_ticket(tenant: str, ticket: Ticket, seconds: float) -> Steps[float]:
    """Make a ticket usable for so many seconds; return when it expires, in seconds since 1970."""
    values = {"sha256": _hashed(ticket.text), "tenant": tenant, "digest": ticket.digest, "seconds": seconds}
    (made,) = yield [Statement(_ISSUE, values)]
    expires_at: float = made[0][0]
    return expires_at


def using_ticket(tenant: str, ticket: Ticket, request_id: str) -> Steps[None]:
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


def forgetting_tickets(most: int) -> Steps[int]:
    """Delete some of the tickets that expired long ago; return how many."""
    chosen = "SELECT sha256 FROM preflight_tickets WHERE expires_at <= {now} - :kept LIMIT :most"
    sql = f"DELETE FROM preflight_tickets WHERE sha256 IN ({chosen}) RETURNING 1"
    (gone,) = yield [Statement(sql, {"most": most, "kept": _KEPT_AFTER})]
    return len(gone)


def _hashed(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
