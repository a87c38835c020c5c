"""What is watched, and who watches: a tenant's account is looked at by one process at a time, at a bounded pace."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.storage.database.statements import Rows, Statement, Steps
from app.storage.events.log import NewEvent, appending

SWEEPS = ("campaigns", "templates", "domains")
"""What is watched from the beginning: listings, which show what was made elsewhere."""

_LAPSED = (
    "DELETE FROM watched WHERE tenant = :tenant AND EXISTS (SELECT 1 FROM event_streams"
    " WHERE event_streams.tenant = watched.tenant AND wanted_until <= {now} - 604800)"
)
_WANT = (
    "INSERT INTO event_streams (tenant, last_number, wanted_until, spacing, ready_at, failures)"
    " VALUES (:tenant, CAST({now} * 1000000 AS BIGINT), {now} + :seconds, :spacing, 0, 0)"
    " ON CONFLICT (tenant) DO UPDATE SET spacing = excluded.spacing, wanted_until ="
    " CASE WHEN event_streams.wanted_until > excluded.wanted_until THEN event_streams.wanted_until"
    " ELSE excluded.wanted_until END"
)
_WANTED_BY_WEBHOOKS = (
    "UPDATE event_streams SET wanted_until = {now} + :seconds WHERE wanted_until < {now} + :seconds"
    " AND tenant IN (SELECT tenant FROM webhooks WHERE enabled = 1)"
)
_SEED = (
    "INSERT INTO watched (tenant, kind, id, due_at, looks, nudges, updated_at)"
    " VALUES (:tenant, :kind, '', {now}, 0, 0, {now}) ON CONFLICT (tenant, kind, id) DO NOTHING"
)
_WATCH = (
    "INSERT INTO watched (tenant, kind, id, state, due_at, looks, nudges, updated_at)"
    " SELECT :tenant, :kind, :id, :state, {now} + :due_in, 0, 1, {now}"
    " WHERE EXISTS (SELECT 1 FROM event_streams WHERE tenant = :tenant AND wanted_until > {now} - 604800)"
    " ON CONFLICT (tenant, kind, id) DO UPDATE SET due_at = excluded.due_at, looks = 0, nudges = watched.nudges + 1"
)
_FREE = (
    "(holder IS NULL OR NOT EXISTS (SELECT 1 FROM leases WHERE leases.name = event_streams.holder"
    " AND leases.expires_at > {now}))"
)
_DUE = (
    f"SELECT tenant FROM event_streams WHERE wanted_until > {{now}} AND ready_at <= {{now}} AND {_FREE}"
    " AND EXISTS (SELECT 1 FROM watched WHERE watched.tenant = event_streams.tenant AND watched.due_at <= {now})"
    " ORDER BY ready_at LIMIT :most"
)
_CLAIM = (
    "UPDATE event_streams SET holder = :holder, ready_at = {now} + spacing WHERE tenant = :tenant"
    f" AND wanted_until > {{now}} AND ready_at <= {{now}} AND {_FREE} RETURNING failures"
)
_ITEMS = "SELECT kind, id, state, looks, nudges FROM watched WHERE tenant = :tenant"
# Whoever wants it sooner while it was being looked at is not forgotten.
_SEEN = (
    "INSERT INTO watched (tenant, kind, id, state, due_at, looks, nudges, updated_at)"
    " VALUES (:tenant, :kind, :id, :state, {now} + :due_in, :looks, 0, {now})"
    " ON CONFLICT (tenant, kind, id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,"
    " looks = CASE WHEN watched.nudges = :nudges THEN excluded.looks ELSE watched.looks END,"
    " due_at = CASE WHEN watched.nudges = :nudges THEN excluded.due_at ELSE watched.due_at END"
)
_HELD = (
    "UPDATE event_streams SET spacing = :spacing, failures = :failures, ready_at = {now} + :pause"
    " WHERE tenant = :tenant AND holder = :holder RETURNING 1"
)
_MORE = (
    ":keep = 1 AND EXISTS (SELECT 1 FROM watched"
    " WHERE watched.tenant = event_streams.tenant AND watched.due_at <= {now} + :pause)"
)
# Who goes on takes the next request's place too.
_GO_ON = (
    f"UPDATE event_streams SET holder = CASE WHEN {_MORE} THEN holder ELSE NULL END,"
    f" ready_at = ready_at + CASE WHEN {_MORE} THEN spacing ELSE 0 END"
    " WHERE tenant = :tenant AND holder = :holder RETURNING holder"
)


class Item(NamedTuple):
    """Something that is watched: one resource, or a listing (without an id)."""

    kind: str
    id: str
    state: Mapping[str, Any] | None = None
    looks: int = 0
    nudges: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it is now, to be looked at again after some seconds, or not without a reason."""

    item: Item
    state: Mapping[str, Any] | None
    due_in: float | None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look at the platform has shown."""

    seen: Sequence[Seen] = ()
    events: Sequence[NewEvent] = field(default=())


class WatchLost(Exception):
    """Another process watches the tenant by now; nothing was written."""


def wanting(tenant: str, *, seconds: float, requests_per_minute: int) -> Steps[None]:
    """Have a tenant's account watched for so long; after a week without, it begins anew with what is there then."""
    values = {"tenant": tenant, "seconds": seconds, "spacing": 60.0 / requests_per_minute}
    yield [Statement(_LAPSED, {"tenant": tenant}), Statement(_WANT, values)]
    yield [Statement(_SEED, {"tenant": tenant, "kind": kind}) for kind in SWEEPS]


def wanted_by_webhooks(seconds: float) -> Steps[None]:
    """Have the accounts of all tenants with webhooks watched for so long."""
    yield [Statement(_WANTED_BY_WEBHOOKS, {"seconds": seconds})]


def watch(
    tenant: str, kind: str, name: str | int, *, state: Mapping[str, Any] | None = None, due_in: float = 0.0
) -> Steps[None]:
    """Have a resource looked at soon, if anybody wants the tenant's events."""
    values = {"tenant": tenant, "kind": kind, "id": str(name), "state": _written(state), "due_in": due_in}
    yield [Statement(_WATCH, values)]


def due(most: int) -> Steps[list[str]]:
    """Return tenants whose accounts are to be looked at now."""
    (rows,) = yield [Statement(_DUE, {"most": most})]
    return [tenant for (tenant,) in rows]


def claiming(tenant: str, holder: str) -> Steps[int | None]:
    """Take a tenant for one request; return how many failed in a row, or None if it is not to be had."""
    (taken,) = yield [Statement(_CLAIM, {"tenant": tenant, "holder": holder})]
    return taken[0][0] if taken else None


def due_items(tenant: str, most: int) -> Steps[list[Item]]:
    """Return what is to be looked at now, what has waited longest first."""
    sql = f"{_ITEMS} AND due_at <= {{now}} ORDER BY due_at LIMIT :most"
    (rows,) = yield [Statement(sql, {"tenant": tenant, "most": most})]
    return _items(rows)


def known_items(tenant: str, kind: str, names: Sequence[str]) -> Steps[dict[str, Item]]:
    """Return those items of a kind that are known, by their ids."""
    given = {f"id{place}": name for place, name in enumerate(names)}
    if not given:
        return {}
    sql = f"{_ITEMS} AND kind = :kind AND id IN ({', '.join(f':{name}' for name in given)})"
    (rows,) = yield [Statement(sql, {"tenant": tenant, "kind": kind, **given})]
    return {item.id: item for item in _items(rows)}


def noting(
    tenant: str, holder: str, findings: Findings, *, spacing: float, pause: float, failures: int, keep: bool
) -> Steps[bool]:
    """Write what a look has shown, with its events, and when the next request may leave.

    Args:
        tenant: whose account was looked at.
        holder: the process that does.
        findings: what it has shown.
        spacing: seconds between requests.
        pause: seconds until the next one.
        failures: how many looks have failed in a row.
        keep: whether this process goes on if there is more to look at by then.

    Returns:
        Whether it does: after `pause` it may send the next request.

    Raises:
        WatchLost: another process watches by now.
    """
    about = {"tenant": tenant, "holder": holder}
    (held,) = yield [Statement(_HELD, {**about, "spacing": spacing, "pause": pause, "failures": failures})]
    if not held:
        raise WatchLost
    if findings.seen:
        yield [_noted(tenant, each) for each in findings.seen]
    yield from appending(tenant, findings.events)
    (going,) = yield [Statement(_GO_ON, {**about, "keep": int(keep), "pause": pause})]
    return bool(going) and going[0][0] is not None


def letting_go(tenant: str, holder: str) -> Steps[None]:
    """Leave a tenant to others."""
    sql = "UPDATE event_streams SET holder = NULL WHERE tenant = :tenant AND holder = :holder"
    yield [Statement(sql, {"tenant": tenant, "holder": holder})]


def forgetting(days: int, most: int) -> Steps[int]:
    """Delete some items that have been at rest for so many days; return how many."""
    chosen = (
        "SELECT tenant, kind, id FROM watched WHERE due_at IS NULL AND updated_at <= {now} - :seconds"
        " ORDER BY updated_at LIMIT :most"
    )
    sql = f"DELETE FROM watched WHERE (tenant, kind, id) IN ({chosen}) RETURNING 1"
    (gone,) = yield [Statement(sql, {"seconds": days * 86_400.0, "most": most})]
    return len(gone)


def _noted(tenant: str, seen: Seen) -> Statement:
    item = seen.item
    return Statement(
        _SEEN,
        {
            "tenant": tenant,
            "kind": item.kind,
            "id": item.id,
            "state": _written(seen.state),
            "due_in": seen.due_in,
            "looks": seen.looks,
            "nudges": item.nudges,
        },
    )


def _items(rows: Rows) -> list[Item]:
    return [Item(kind, name, json.loads(state) if state else None, *rest) for kind, name, state, *rest in rows]


def _written(state: Mapping[str, Any] | None) -> str | None:
    return None if state is None else json.dumps(state, ensure_ascii=False, separators=(",", ":"))
