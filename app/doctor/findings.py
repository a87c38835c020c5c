"""What was found out about a read, and why an account or a reply was left alone."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from app.gateway.checks import Subject
from app.upstream.document import DriftKind


class UnknownOperation(Exception):
    """There is no read of that name."""


class UnknownTenant(Exception):
    """There is no tenant of that id."""


class DestinationRefused(Exception):
    """The tenant's platform is where the gateway must not connect to."""


class NotRecordable(Exception):
    """A reply is not kept; the text says why and quotes nothing of it."""


Value = TypeVar("Value")


class ReadOutcome(StrEnum):
    """What became of a read."""

    DECODED = "decoded"
    """The reply is as it was promised."""
    EMPTY = "empty"
    """It is, and there is nothing in it."""
    DRIFTED = "drifted"
    """It could be used, but departs from what was promised."""
    REFUSED = "refused"
    """The platform refused, failed, or answered something that cannot be used."""
    UNREACHABLE = "unreachable"
    """Nothing answered at the platform's address."""
    SKIPPED = "skipped"
    """It was not called."""


class DriftFinding(BaseModel):
    """One departure of a reply from what was promised; the value is not told."""

    model_config = ConfigDict(frozen=True)

    kind: DriftKind
    path: str


class Refusal(BaseModel):
    """Why a read was refused."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    status: str | None = None
    message: str | None = None


class Finding(BaseModel):
    """What was found out about one read."""

    model_config = ConfigDict(frozen=True)

    operation: str
    section: str
    outcome: ReadOutcome
    calls: int = 0
    records: int | None = None
    drift: tuple[DriftFinding, ...] = ()
    refusal: Refusal | None = None
    reason: str | None = None
    recorded: str | None = None
    unrecorded: str | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.outcome in {ReadOutcome.DRIFTED, ReadOutcome.REFUSED, ReadOutcome.UNREACHABLE}


class Known:
    """What is known to ask with."""

    def __init__(self, guesses: Mapping[Subject[Any], tuple[Any, ...]]) -> None:
        self._guesses = guesses
        self._told: dict[Subject[Any], list[Any]] = {}

    def learn(self, subject: Subject[Value], values: Iterable[Value]) -> None:
        """Add what an answer tells, the best first."""
        told = self._told.setdefault(subject, [])
        told += [value for value in dict.fromkeys(values) if value not in told]

    def of(self, subject: Subject[Value]) -> list[Value]:
        """Return what there is to ask with, the best first."""
        return [*self._told.get(subject, ()), *self._guesses.get(subject, ())]
