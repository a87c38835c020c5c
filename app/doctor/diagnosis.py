"""Calling one read after the other, and reporting what became of each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from app.doctor.findings import DriftFinding, Finding, Known, NotRecordable, ReadOutcome, Refusal, UnknownOperation
from app.doctor.recording import Recorder, RecordingTransport
from app.errors import GatewayError, NotFound, UpstreamCredentialsRejected, UpstreamFailure, UpstreamUnavailable
from app.gateway import identifiers
from app.gateway.call import Gateway
from app.gateway.checks import DAY, NOTHING, AnyCheck, Check, ExportCheck
from app.gateway.context import Caller, RequestContext
from app.resources.account import operations as account
from app.resources.campaigns import operations as campaigns
from app.resources.contacts import operations as contacts
from app.resources.domains import operations as domains
from app.resources.imports import operations as imports
from app.resources.lists import operations as lists
from app.resources.mailboxes import operations as mailboxes
from app.resources.statistics import failures
from app.resources.statistics import operations as statistics
from app.resources.templates import operations as templates
from app.resources.tracking import operations as tracking
from app.tenants.models import Scope, Tenant
from app.upstream.document import Drift
from app.upstream.listed import Listed

RECORDS = 100
"""How many records of an export are enough; it is cut off behind the portion in which they come."""

_KEY = "doctor"
_MOST_CALLS = 3
"""How many ids a read is asked with until there is something in the reply."""


class DriftNotes:
    """An `app.gateway.call.DriftObserver` that remembers the last reply's drift."""

    def __init__(self) -> None:
        self._drift: frozenset[Drift] = frozenset()

    def drifted(self, _operation: str, drift: frozenset[Drift]) -> None:
        """Remember a reply's drift."""
        self._drift = drift

    def take(self) -> tuple[DriftFinding, ...]:
        """Return the drift noted since the last time."""
        drift, self._drift = self._drift, frozenset()
        found = [DriftFinding(kind=each.kind, path=each.path) for each in drift]
        return tuple(sorted(found, key=lambda each: (each.path, each.kind)))


@dataclass(frozen=True, slots=True)
class Examined:
    """What one call came to: a result and how many records are in it, or an error."""

    value: Any
    result: Any = None
    records: int | None = None
    error: GatewayError | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the reply, or nothing there, without the platform complaining."""
        return self.records == 0 or (isinstance(self.error, NotFound) and self.error.upstream is None)


class Diagnosis:
    """Looks a tenant's account over."""

    def __init__(
        self,
        gateway: Gateway,
        tenant: Tenant,
        *,
        notes: DriftNotes,
        tap: RecordingTransport,
        context: Callable[[], RequestContext],
        pause: float,
        today: date,
        recorder: Recorder | None = None,
    ) -> None:
        self._gateway = gateway
        self._tenant = tenant
        self._notes = notes
        self._tap = tap
        self._context = context
        self._pause = pause
        self._recorder = recorder
        self._known = Known({NOTHING: (None,), DAY: (today,)})
        self._called = False
        self._stopped: str | None = None

    async def findings(self, plan: Sequence[AnyCheck]) -> AsyncIterator[Finding]:
        """Carry out checks in turn.

        What comes behind a refused login, since accounts get locked, or an unreachable platform is skipped.

        Raises:
            OSError: a reply that is to be kept cannot be written.
        """
        for check in plan:
            yield await self._check(check)

    async def _check(self, check: AnyCheck) -> Finding:
        values = self._known.of(check.by)[:_MOST_CALLS]
        if self._stopped or not values:
            return _finding(check, ReadOutcome.SKIPPED, reason=self._stopped or f"no {check.by.name} to ask with")
        examined, drift, calls = await self._ask(check, values)
        if isinstance(examined.error, UpstreamCredentialsRejected):
            self._stopped = "the login was refused"
        if isinstance(examined.error, UpstreamUnavailable):
            self._stopped = "the platform cannot be reached"
        if examined.result is not None and not isinstance(check, ExportCheck):
            for subject, told in check.tells.items():
                self._known.learn(subject, told(examined.result))
        return _finding(
            check,
            _outcome(examined, drift),
            calls=calls,
            records=examined.records,
            drift=drift,
            refusal=None if examined.is_empty else _refusal(examined.error),
            **self._recorded(check, examined),
        )

    async def _ask(self, check: AnyCheck, values: Sequence[Any]) -> tuple[Examined, tuple[DriftFinding, ...], int]:
        """Ask with one value after the other until there is something in the reply; tell how often that was."""
        calls = 0
        while True:
            examined = await self._examine(check, values[calls])
            drift, calls = self._notes.take(), calls + 1
            if drift or not examined.is_empty or calls == len(values):
                return examined, drift, calls

    async def _examine(self, check: AnyCheck, value: Any) -> Examined:
        if self._called:
            await asyncio.sleep(self._pause)
        self._called = True
        caller = Caller(self._tenant, _KEY, frozenset({Scope.READ}), self._context())
        try:
            if isinstance(check, ExportCheck):
                return Examined(value, records=await self._count(check, value, caller))
            result = await self._gateway.call(check.operation, check.ask(value), caller)
        except GatewayError as error:
            return Examined(value, error=error)
        return Examined(value, result, _count_of(result))

    async def _count(self, check: ExportCheck[Any, Any], value: Any, caller: Caller) -> int:
        async with self._gateway.export(check.operation, check.ask(value), caller) as rows:
            count = len(rows.first)
            if count < RECORDS:
                async for more in rows.rest():
                    count += len(more)
                    if count >= RECORDS:
                        break
        return count

    def _recorded(self, check: AnyCheck, examined: Examined) -> dict[str, str]:
        if self._recorder is None:
            return {}
        try:
            return {"recorded": str(self._recorder.record(check, examined.value, self._tap.last))}
        except NotRecordable as reason:
            return {"unrecorded": str(reason)}


def _count_of(result: Any) -> int | None:
    data = getattr(result, "data", None) if isinstance(result, BaseModel) else None
    return len(data) if isinstance(data, list | Listed) else None


def _finding(check: AnyCheck, outcome: ReadOutcome, **found: Any) -> Finding:
    return Finding(operation=check.operation.name, section=check.operation.section, outcome=outcome, **found)


def _outcome(examined: Examined, drift: tuple[DriftFinding, ...]) -> ReadOutcome:
    if drift:
        return ReadOutcome.DRIFTED
    if examined.is_empty:
        return ReadOutcome.EMPTY
    if isinstance(examined.error, UpstreamUnavailable):
        return ReadOutcome.UNREACHABLE
    return ReadOutcome.REFUSED if examined.error else ReadOutcome.DECODED


def _refusal(error: GatewayError | None) -> Refusal | None:
    if error is None:
        return None
    told = error.upstream if isinstance(error, UpstreamFailure | NotFound) else None
    return Refusal(
        code=error.code,
        detail=error.detail,
        status=told.status if told else None,
        message=told.message if told else None,
    )


PLAN: tuple[AnyCheck, ...] = (
    *account.CHECKS,
    *lists.CHECKS,
    *contacts.CHECKS,
    *lists.EXPORT_CHECKS,
    *imports.CHECKS,
    *templates.CHECKS,
    *campaigns.CHECKS,
    *statistics.CHECKS,
    *failures.FAILURE_CHECKS,
    *identifiers.CHECKS,
    *tracking.CHECKS,
    *domains.CHECKS,
    *mailboxes.CHECKS,
)


def choose(names: Collection[str]) -> Sequence[AnyCheck]:
    """Return the checks of some operations, and before them those that tell what these are asked with.

    Raises:
        UnknownOperation: no check has such a name.
    """
    known = {check.operation.name for check in PLAN}
    for name in names:
        if name not in known:
            raise UnknownOperation(f"There is no read {name}; there are {', '.join(sorted(known))}.")
    if not names:
        return PLAN
    wanted = {check.operation.name for check in PLAN if check.operation.name in names}
    needed = {check.by for check in PLAN if check.operation.name in wanted}
    for check in reversed(PLAN):
        if isinstance(check, Check) and needed.intersection(check.tells):
            wanted.add(check.operation.name)
            needed.add(check.by)
    return [check for check in PLAN if check.operation.name in wanted]
