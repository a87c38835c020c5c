"""The log of events: written in the transaction that notes the new state, read by cursors."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import orjson

from app.storage.database.statements import Statement, Steps

_DIGITS = 14
_TENANT_BYTES = 4

# Whoever adds events holds the stream's row until the commit, so that numbers become visible in their order. They begin
# at the clock, in microseconds, so that a log restored from an old copy does not give numbers out again.
_NUMBERS = (
    "UPDATE event_streams SET last_number = CASE WHEN last_number + :count > CAST({now} * 1000000 AS BIGINT)"
    " THEN last_number + :count ELSE CAST({now} * 1000000 AS BIGINT) END"
    " WHERE tenant = :tenant AND wanted_until > {now} - 604800 RETURNING last_number"
)
_APPEND = (
    "INSERT INTO events (tenant, number, type, resource, occurred_at, data, previous)"
    " VALUES (:tenant, :number, :type, :resource, {now}, :data, :previous)"
)
_DELIVER = (
    "INSERT INTO deliveries (tenant, webhook, number, resource, status, tries, attempts, due_at, created_at)"
    " SELECT events.tenant, webhooks.id, events.number, events.resource, 'pending', 0, '[]', {now}, {now}"
    " FROM events JOIN webhooks ON webhooks.tenant = events.tenant"
    " WHERE events.tenant = :tenant AND events.number > :before AND events.number <= :last AND webhooks.enabled = 1"
    " AND (webhooks.types = '|*|' OR replace(webhooks.types, '|' || events.type || '|', '') <> webhooks.types)"
)
_DELIVER_TO = (
    "INSERT INTO deliveries (tenant, webhook, number, resource, status, tries, attempts, due_at, created_at)"
    " SELECT tenant, :webhook, number, resource, 'pending', 0, '[]', {now}, {now} FROM events"
    " WHERE tenant = :tenant AND number > :before AND number <= :last"
)
_READ = (
    "SELECT number, type, occurred_at, data, previous FROM events WHERE tenant = :tenant AND number > :after{types}"
    " ORDER BY number LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that has happened to a resource; `data` is the resource and `previous` what it was, both as JSON."""

    type: str
    resource: str
    data: str
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log."""

    tenant: str
    number: int
    type: str
    occurred_at: float
    data: str
    previous: str | None

    @property
    def id(self) -> str:
        """The name it is known by; names of one tenant sort as its events."""
        return event_id(self.tenant, self.number)

    def json(self, zone: tzinfo) -> bytes:
        """Return it as it is read, streamed and delivered."""
        occurred_at = datetime.fromtimestamp(self.occurred_at, zone)
        return orjson.dumps(
            {
                "id": self.id,
                "type": self.type,
                "occurred_at": occurred_at.isoformat(timespec="milliseconds"),
                "data": orjson.Fragment(self.data),
                "previous": orjson.Fragment(self.previous or "null"),
            }
        )


def event_id(tenant: str, number: int) -> str:
    """Return the id of a tenant's event; no other tenant has one like it."""
    return f"evt_{number:0{_DIGITS}x}{_mark(tenant)}"


def number_of(tenant: str, event: str) -> int | None:
    """Return the number of a tenant's event, or None for an id that is none of the tenant's."""
    digits = event.removeprefix("evt_").removesuffix(_mark(tenant))
    if len(digits) != _DIGITS or not set(digits) <= set("0123456789abcdef"):
        return None
    number = int(digits, 16)
    return number if number < 2**63 and event_id(tenant, number) == event else None


def _mark(tenant: str) -> str:
    return hashlib.blake2b(tenant.encode(), digest_size=_TENANT_BYTES, person=b"umail-events").hexdigest()


def appending(tenant: str, added: Sequence[NewEvent], *, webhook: str | None = None) -> Steps[int | None]:
    """Add events and what takes them to webhooks, or to one alone; return the last one's number.

    None if nobody has wanted events for a week, which is longer than those who watch may be gone.
    """
    if not added:
        return None
    (numbered,) = yield [Statement(_NUMBERS, {"tenant": tenant, "count": len(added)})]
    if not numbered:
        return None
    last: int = numbered[0][0]
    before = last - len(added)
    rows = [
        Statement(
            _APPEND,
            {
                "tenant": tenant,
                "number": number,
                "type": each.type,
                "resource": each.resource,
                "data": each.data,
                "previous": each.previous,
            },
        )
        for number, each in enumerate(added, before + 1)
    ]
    range_ = {"tenant": tenant, "before": before, "last": last}
    yield [*rows, Statement(_DELIVER_TO, {**range_, "webhook": webhook}) if webhook else Statement(_DELIVER, range_)]
    return last


def telling(tenant: str, event: NewEvent) -> Steps[None]:
    """Add one event, if anybody wants events; for transactions that do something else beside."""
    yield from appending(tenant, [event])


def reading(tenant: str, after: int, types: Collection[str], limit: int) -> Steps[list[LoggedEvent]]:
    """Return the next events after a number, of some types or of all."""
    wanted = {f"type{place}": each for place, each in enumerate(types)}
    condition = f" AND type IN ({', '.join(f':{name}' for name in wanted)})" if wanted else ""
    values = {"tenant": tenant, "after": after, "limit": limit, **wanted}
    (rows,) = yield [Statement(_READ.replace("{types}", condition), values)]
    return [LoggedEvent(tenant, *row) for row in rows]


def last_numbers(tenants: Sequence[str]) -> Steps[dict[str, int]]:
    """Return how far the logs of some tenants have got; of those that have one."""
    names = {f"tenant{place}": each for place, each in enumerate(tenants)}
    chosen = ", ".join(f":{name}" for name in names)
    (rows,) = yield [Statement(f"SELECT tenant, last_number FROM event_streams WHERE tenant IN ({chosen})", names)]
    return dict(rows)


def forgetting(days: int, most: int) -> Steps[int]:
    """Delete some of the events older than so many days, with what is left of their deliveries; return how many."""
    chosen = "SELECT tenant, number FROM events WHERE occurred_at <= {now} - :seconds ORDER BY occurred_at LIMIT :most"
    values = {"seconds": days * 86_400.0, "most": most}
    _, gone = yield [
        Statement(f"DELETE FROM deliveries WHERE (tenant, number) IN ({chosen})", values),
        Statement(f"DELETE FROM events WHERE (tenant, number) IN ({chosen}) RETURNING 1", values),
    ]
    return len(gone)
