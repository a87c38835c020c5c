"""The journal of sends, as steps of transactions."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.storage.database.statements import Rows, Statement, Steps, Work, lock
from app.storage.writes.models import (
    AttemptState,
    Confirmed,
    DuplicateKey,
    DuplicateSend,
    JournalEntry,
    KeyTaken,
    NewAttempt,
    Settled,
    given_up,
    storable,
)

_COLUMNS = (
    "id, tenant, operation, idempotency_key, fingerprint, request, state, reference, detail, request_id, created_at,"
    " updated_at"
)
_ALIVE = "EXISTS (SELECT 1 FROM leases WHERE leases.name = sends.holder AND leases.expires_at > {now})"
_SELECT = f"SELECT {_COLUMNS}, {_ALIVE} FROM sends WHERE tenant = :tenant"
_LATEST = " ORDER BY number DESC LIMIT 1"
_ALIKE = f"{_SELECT} AND operation = :operation AND state <> 'refused'"
_INSERT = (
    f"INSERT INTO sends ({_COLUMNS}, holder, key_id) VALUES (:id, :tenant, :operation, :idempotency_key, :fingerprint,"
    " :request, :state, NULL, :detail, :request_id, :moment, :moment, :holder, :key_id)"
)
_UPDATE = "UPDATE sends SET state = :state, detail = :detail, updated_at = :moment"
_OPEN = " WHERE id = :id AND state IN ('pending', 'unknown')"
_CONFIRM = (
    f"{_UPDATE}, reference = :reference{_OPEN} AND NOT EXISTS (SELECT 1 FROM sends AS other WHERE other.tenant ="
    " :tenant AND other.operation = :operation AND other.reference = :reference) RETURNING id"
)


def opening(
    attempt: NewAttempt,
    *,
    unless_since: datetime | None,
    holder: str,
    moment: datetime,
    claim: Statement | None = None,
    beat: Statement | None = None,
    also: Sequence[Work[None]] = (),
) -> Steps[None]:
    """Write an attempt down as `PENDING`, and take its key with it.

    Args:
        unless_since: equal ones created since then stand in the way unless they were refused; None for none.
        beat: says that the holder lives, if that must be said again.
        also: further steps of the transaction; what they raise undoes all of it.

    Raises:
        KeyTaken: another request has got the key.
        DuplicateKey: an attempt that was not refused has its idempotency key.
        DuplicateSend: the same was sent since `unless_since`, or may have been.
    """
    about = {"tenant": attempt.tenant, "operation": attempt.operation}
    rivals = _rivals(attempt, unless_since, about)
    *_, claimed, _, with_key, same = yield [*_locks(attempt), claim, beat, *rivals]
    if claim is not None and not claimed:
        raise KeyTaken
    _refuse(with_key, DuplicateKey)
    _refuse(same, DuplicateSend)
    for steps in also:
        yield from steps()
    yield [_insert(attempt, AttemptState.PENDING, None, holder, moment)]


def recording(attempt: NewAttempt, outcome: Settled, *, holder: str, moment: datetime) -> Steps[None]:
    """Write down an attempt that ended before it was opened, unless another has its key."""
    about = {"tenant": attempt.tenant, "operation": attempt.operation}
    found = yield [*_locks(attempt), *_rivals(attempt, None, about)]
    if not found[2]:
        yield [_insert(attempt, outcome.state, storable(outcome.detail), holder, moment)]


def confirming(attempt: JournalEntry, outcome: Confirmed, *, moment: datetime) -> Steps[bool]:
    """Make an open attempt `CONFIRMED`.

    Returns:
        Whether it now stands confirmed with this reference. It does not if another attempt of the tenant and operation
        holds the reference, if it was closed otherwise before, or if it is not there; nothing is changed then.
    """
    values = {
        "id": attempt.id,
        "tenant": attempt.tenant,
        "operation": attempt.operation,
        "reference": outcome.reference,
        "state": "confirmed",
        "detail": None,
        "moment": moment,
    }
    _, changed = yield [
        lock("reference", attempt.tenant, attempt.operation, outcome.reference),
        Statement(_CONFIRM, values),
    ]
    if changed:
        return True
    (found,) = yield [Statement("SELECT state, reference FROM sends WHERE id = :id", {"id": attempt.id})]
    return found == [("confirmed", outcome.reference)]


def settling(attempt: JournalEntry, outcome: Settled, *, moment: datetime) -> Steps[bool]:
    """Make an open attempt `REFUSED` or `UNKNOWN`; tell whether it now stands so."""
    detail = storable(outcome.detail)
    values = {"id": attempt.id, "state": outcome.state.value, "detail": detail, "moment": moment}
    (changed,) = yield [Statement(f"{_UPDATE}{_OPEN} RETURNING id", values)]
    if changed:
        return True
    (found,) = yield [Statement("SELECT state FROM sends WHERE id = :id", {"id": attempt.id})]
    return found == [(outcome.state.value,)]


def latest(tenant: str, key: str) -> Statement:
    """Ask for the latest attempt with a key, of whatever operation."""
    return Statement(f"{_SELECT} AND idempotency_key = :key{_LATEST}", {"tenant": tenant, "key": key})


def confirmed_as(tenant: str, operation: str, reference: str) -> Statement:
    """Ask for the attempt that is confirmed with a reference."""
    values = {"tenant": tenant, "operation": operation, "reference": reference}
    return Statement(f"{_SELECT} AND operation = :operation AND reference = :reference", values)


def last_alike(tenant: str, operation: str, fingerprint: str) -> Statement:
    """Ask for one that is open among the attempts with a fingerprint, or else for the latest confirmed one."""
    values = {"tenant": tenant, "operation": operation, "fingerprint": fingerprint}
    order = " ORDER BY CASE state WHEN 'confirmed' THEN 1 ELSE 0 END, number DESC LIMIT 1"
    return Statement(f"{_ALIKE} AND fingerprint = :fingerprint{order}", values)


def references(tenant: str, operation: str, since: datetime) -> Steps[set[str]]:
    """Return the references that attempts created since then hold."""
    sql = "SELECT reference FROM sends WHERE tenant = :tenant AND operation = :operation AND created_at >= :since"
    values = {"tenant": tenant, "operation": operation, "since": since}
    (found,) = yield [Statement(f"{sql} AND reference IS NOT NULL", values)]
    return {reference for (reference,) in found}


def unresolved(tenant: str, operation: str, since: datetime) -> Steps[list[JournalEntry]]:
    """Return the attempts created since then whose fate is open, oldest first."""
    sql = f"{_SELECT} AND operation = :operation AND created_at >= :since AND state IN ('pending', 'unknown')"
    values = {"tenant": tenant, "operation": operation, "since": since}
    (found,) = yield [Statement(f"{sql} ORDER BY number", values)]
    return [attempt_of(row) for row in found]


def counting(tenant: str, operation: str, since: datetime) -> Steps[int]:
    """Return how many attempts were created since then, refused ones included."""
    sql = "SELECT count(*) FROM sends WHERE tenant = :tenant AND operation = :operation AND created_at >= :since"
    (found,) = yield [Statement(sql, {"tenant": tenant, "operation": operation, "since": since})]
    return int(found[0][0])


def alike(
    tenant: str, operation: str, fingerprint: str, since: datetime, *, besides: str = ""
) -> Steps[JournalEntry | None]:
    """Return the latest attempt since then that would send the same and was not refused, one reference aside."""
    others = "(reference IS NULL OR reference <> :besides)"
    sql = f"{_ALIKE} AND fingerprint = :fingerprint AND created_at >= :since AND {others}{_LATEST}"
    values = {"tenant": tenant, "operation": operation, "fingerprint": fingerprint, "since": since, "besides": besides}
    (found,) = yield [Statement(sql, values)]
    return attempt_of(found[0]) if found else None


def forgetting(before: datetime, most: int) -> Steps[int]:
    """Delete some of the attempts created before then, whatever their state, and return how many."""
    sql = "DELETE FROM sends WHERE number IN (SELECT number FROM sends WHERE created_at < :before LIMIT :most)"
    (gone,) = yield [Statement(f"{sql} RETURNING number", {"before": before, "most": most})]
    return len(gone)


def attempt_of(row: Sequence[Any]) -> JournalEntry:
    """Return the attempt in a row; one whose process has died is `UNKNOWN`."""
    request = row[5] if isinstance(row[5], dict) else json.loads(row[5])
    attempt = JournalEntry(
        id=row[0],
        tenant=row[1],
        operation=row[2],
        idempotency_key=row[3],
        fingerprint=row[4],
        request=request,
        state=AttemptState(row[6]),
        reference=row[7],
        detail=row[8],
        request_id=row[9],
        created_at=time_of(row[10]),
        updated_at=time_of(row[11]),
    )
    return attempt if row[12] or attempt.state is not AttemptState.PENDING else given_up(attempt)


def time_of(value: datetime | str) -> datetime:
    """Read a time as either kind of database gives it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _locks(attempt: NewAttempt) -> list[Statement | None]:
    about = (attempt.tenant, attempt.operation)
    key = attempt.idempotency_key
    wanted = [
        lock("fingerprint", *about, attempt.fingerprint),
        lock("idempotency_key", *about, key) if key is not None else None,
    ]
    # In one order for everybody, or two transactions could wait for each other.
    return sorted(wanted, key=lambda each: each.parameters["number"] if each else 0)


def _rivals(
    attempt: NewAttempt, unless_since: datetime | None, about: dict[str, str]
) -> tuple[Statement | None, Statement | None]:
    with_key = same = None
    if attempt.idempotency_key is not None:
        with_key = Statement(f"{_ALIKE} AND idempotency_key = :key{_LATEST}", {**about, "key": attempt.idempotency_key})
    if unless_since is not None:
        sql = f"{_ALIKE} AND fingerprint = :fingerprint AND created_at >= :since{_LATEST}"
        same = Statement(sql, {**about, "fingerprint": attempt.fingerprint, "since": unless_since})
    return with_key, same


def _refuse(rows: Rows, reason: type[DuplicateKey | DuplicateSend]) -> None:
    if rows:
        raise reason(attempt_of(rows[0]))


def _insert(attempt: NewAttempt, state: AttemptState, detail: str | None, holder: str, moment: datetime) -> Statement:
    return Statement(
        _INSERT,
        {
            "id": attempt.id,
            "tenant": attempt.tenant,
            "operation": attempt.operation,
            "idempotency_key": attempt.idempotency_key,
            "fingerprint": attempt.fingerprint,
            "request": json.dumps(dict(attempt.request)),
            "state": state.value,
            "detail": detail,
            "request_id": attempt.request_id,
            "moment": moment,
            "holder": holder,
            "key_id": attempt.key_id,
        },
    )
