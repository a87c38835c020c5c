"""Deliveries: events on their way to webhooks, in order for each resource, at least once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from app.storage.database.statements import Statement, Steps
from app.storage.events.log import LoggedEvent, NewEvent, appending
from app.storage.events.webhooks import FIELDS, SealedSecrets, WebhookRecord, sealed_secrets, webhook_record

DeliveryState = Literal["pending", "delivered", "failed"]

_AT_ONCE = 4
"""Deliveries of one webhook at the same time; of one that fails, one."""
_KEPT_ATTEMPTS = 20

_FREE = (
    "(deliveries.holder IS NULL OR NOT EXISTS (SELECT 1 FROM leases WHERE leases.name = deliveries.holder"
    " AND leases.expires_at > {now}))"
)
# Those under way count among a webhook's, so that it never has more than it should.
_DUE = (
    "SELECT tenant, webhook, number, failing FROM (SELECT deliveries.tenant AS tenant, deliveries.webhook AS webhook,"
    " deliveries.number AS number, webhooks.failing_since IS NOT NULL AS failing,"
    f" {_FREE} AS free, row_number() OVER (PARTITION BY deliveries.tenant, deliveries.webhook"
    " ORDER BY deliveries.due_at, deliveries.number) AS place"
    " FROM deliveries JOIN webhooks ON webhooks.tenant = deliveries.tenant AND webhooks.id = deliveries.webhook"
    " WHERE deliveries.due_at <= {now} AND webhooks.enabled = 1"
    " AND (webhooks.retry_at IS NULL OR webhooks.retry_at <= {now})"
    " AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.tenant = deliveries.tenant"
    " AND earlier.webhook = deliveries.webhook AND earlier.resource = deliveries.resource"
    " AND earlier.number < deliveries.number AND earlier.status = 'pending')) AS ready"
    " WHERE free AND place <= CASE WHEN failing THEN 1 ELSE :at_once END ORDER BY place LIMIT :most"
)
_CLAIM = (
    "UPDATE deliveries SET holder = :holder WHERE tenant = :tenant AND webhook = :webhook AND number = :number"
    f" AND status = 'pending' AND {_FREE} RETURNING tries, attempts"
)
_WHAT = (
    "SELECT webhooks.url, events.type, events.occurred_at, events.data, events.previous, data_key, master_key, secret,"
    " CASE WHEN previous_until > {now} THEN previous_secret ELSE NULL END"
    " FROM events, webhooks WHERE events.tenant = :tenant AND events.number = :number"
    " AND webhooks.tenant = :tenant AND webhooks.id = :webhook"
)
_ONE = " WHERE tenant = :tenant AND webhook = :webhook AND number = :number"
_END = (
    "UPDATE deliveries SET status = :status, tries = tries + 1, attempts = :attempts, due_at = {now} + :due_in,"
    f" holder = NULL{_ONE} AND holder = :holder RETURNING 1"
)
_SUCCEEDED = (
    "UPDATE webhooks SET failing_since = NULL, failures = 0, retry_at = NULL"
    " WHERE tenant = :tenant AND id = :webhook AND failing_since IS NOT NULL"
)
_FAILED = (
    "UPDATE webhooks SET failing_since = coalesce(failing_since, {now}), failures = failures + 1,"
    " retry_at = {now} + :pause WHERE tenant = :tenant AND id = :webhook"
)
_GIVE_UP = (
    "UPDATE webhooks SET enabled = 0, disabled_reason = :reason, updated_at = {now}"
    " WHERE tenant = :tenant AND id = :webhook AND enabled = 1 AND failing_since <= {now} - :seconds"
    f" RETURNING {FIELDS}"
)
_DROP = (
    "UPDATE deliveries SET status = 'failed', due_at = NULL, holder = NULL"
    " WHERE tenant = :tenant AND webhook = :webhook AND status = 'pending'"
)
_FIELDS = (
    "SELECT deliveries.number, events.type, deliveries.status, deliveries.tries, deliveries.attempts,"
    " deliveries.due_at, deliveries.created_at FROM deliveries"
    " JOIN events ON events.tenant = deliveries.tenant AND events.number = deliveries.number"
    " WHERE deliveries.tenant = :tenant AND deliveries.webhook = :webhook"
)
_AGAIN = (
    f"UPDATE deliveries SET status = 'pending', tries = 0, due_at = {{now}}, holder = NULL{_ONE}"
    " AND status <> 'pending' RETURNING 1"
)


class Place(NamedTuple):
    """Which event goes to which webhook, and whether that fails at the moment."""

    tenant: str
    webhook: str
    number: int
    failing: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process is to attempt."""

    place: Place
    tries: int
    attempts: list[dict[str, Any]]
    url: str
    event: LoggedEvent
    secrets: SealedSecrets


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt has come to.

    Args:
        status: `pending` if there will be another one.
        attempts: all that is told of this one and those before.
        due_in: seconds until the next one.
        pause: seconds for which nothing else is sent to the webhook; None after a success.
        failing_for: disable the webhook if it has failed for so many seconds; None for not at all.
        reason: why it is disabled then.
        notice: makes the event that tells of that.
    """

    status: DeliveryState
    attempts: Sequence[dict[str, Any]]
    due_in: float | None = None
    pause: float | None = None
    failing_for: float | None = None
    reason: str = ""
    notice: Callable[[WebhookRecord], NewEvent] | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery as its webhook's owner sees it; times are seconds since 1970."""

    number: int
    type: str
    status: DeliveryState
    tries: int
    attempts: list[dict[str, Any]]
    due_at: float | None
    created_at: float


def due(most: int) -> Steps[list[Place]]:
    """Return deliveries that are to be attempted now, some of each webhook."""
    (rows,) = yield [Statement(_DUE, {"most": most, "at_once": _AT_ONCE})]
    return [Place(tenant, webhook, number, bool(failing)) for tenant, webhook, number, failing in rows]


def claiming(places: Sequence[Place], holder: str) -> Steps[list[Claimed]]:
    """Take deliveries; return those that were still to be had."""
    about = [{"tenant": each.tenant, "webhook": each.webhook, "number": each.number} for each in places]
    taken = yield [Statement(_CLAIM, {**each, "holder": holder}) for each in about]
    found = yield [Statement(_WHAT, each) if rows else None for each, rows in zip(about, taken, strict=True)]
    claimed = []
    for place, rows, what in zip(places, taken, found, strict=True):
        if rows and what:
            (tries, attempts), (url, type_, occurred_at, data, previous, *secrets) = rows[0], what[0]
            event = LoggedEvent(place.tenant, place.number, type_, occurred_at, data, previous)
            claimed.append(Claimed(place, tries, json.loads(attempts), url, event, sealed_secrets(secrets)))
    return claimed


def ending(place: Place, holder: str, outcome: Attempted) -> Steps[bool]:
    """Write what an attempt has come to; tell whether the webhook is disabled by that."""
    about = {"tenant": place.tenant, "webhook": place.webhook}
    attempts = [*outcome.attempts[:1], *outcome.attempts[1:][-_KEPT_ATTEMPTS:]]
    values = {
        **about,
        "number": place.number,
        "holder": holder,
        "status": outcome.status,
        "attempts": json.dumps(attempts, separators=(",", ":")),
        "due_in": outcome.due_in,
    }
    (held,) = yield [Statement(_END, values)]
    if not held:
        return False
    if outcome.pause is None:
        yield [Statement(_SUCCEEDED, about)]
        return False
    yield [Statement(_FAILED, {**about, "pause": outcome.pause})]
    if outcome.failing_for is None:
        return False
    (disabled,) = yield [
        Statement(_GIVE_UP, {**about, "seconds": outcome.failing_for, "reason": outcome.reason}),
    ]
    if not disabled:
        return False
    yield [Statement(_DROP, about)]
    if outcome.notice is not None:
        yield from appending(place.tenant, [outcome.notice(webhook_record(disabled[0]))])
    return True


def letting_go(holder: str) -> Steps[None]:
    """Leave whatever is under way to others."""
    yield [Statement("UPDATE deliveries SET holder = NULL WHERE holder = :holder", {"holder": holder})]


def listing(
    tenant: str, webhook: str, status: DeliveryState | None, *, offset: int, limit: int
) -> Steps[list[DeliveryRecord]]:
    """Return a webhook's deliveries, newest first, of one state or of all."""
    condition = " AND deliveries.status = :status" if status else ""
    values = {"tenant": tenant, "webhook": webhook, "offset": offset, "limit": limit}
    sql = f"{_FIELDS}{condition} ORDER BY deliveries.number DESC LIMIT :limit OFFSET :offset"
    (rows,) = yield [Statement(sql, {**values, "status": status} if status else values)]
    return [_record(row) for row in rows]


def finding(tenant: str, webhook: str, number: int) -> Steps[DeliveryRecord | None]:
    """Return one delivery, or None."""
    sql = f"{_FIELDS} AND deliveries.number = :number"
    (rows,) = yield [Statement(sql, {"tenant": tenant, "webhook": webhook, "number": number})]
    return _record(rows[0]) if rows else None


def repeating(tenant: str, webhook: str, number: int) -> Steps[DeliveryRecord | None]:
    """Have a delivery attempted again; return it, or None if there is no such delivery."""
    yield [Statement(_AGAIN, {"tenant": tenant, "webhook": webhook, "number": number})]
    return (yield from finding(tenant, webhook, number))


def _record(row: Sequence[Any]) -> DeliveryRecord:
    number, type_, status, tries, attempts, due_at, created_at = row
    return DeliveryRecord(number, type_, status, tries, json.loads(attempts), due_at, created_at)
