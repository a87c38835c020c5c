"""What was found out about a read."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from app.gateway.checks import Subject
from app.upstream.document import DriftKind

Value = TypeVar("Value")


class Outcome(StrEnum):
    """What became of a read."""

    DECODED = "decoded"
    """The reply is as it was promised."""
    EMPTY = "empty"
    """It is, and there is nothing in it."""
    DRIFTED = "drifted"
    """It could be used, but departs from what was promised."""
    REFUSED = "refused"
    """The platform refused, failed, or answered something that cannot be used."""
    SKIPPED = "skipped"
    """It was not called."""


class Deviation(BaseModel):
    """One departure of a reply from what was promised; the value is not told."""

    model_config = ConfigDict(frozen=True)

    kind: DriftKind
    path: str


class Refusal(BaseModel):
    """Why a read was refused.

    Attributes:
        code: the gateway's error code.
        detail: what happened.
        status: the platform's status word, or the HTTP status.
        message: the platform's own text, without the secrets of the request.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    status: str | None = None
    message: str | None = None


class Finding(BaseModel):
    """What was found out about one read.

    Attributes:
        operation: the gateway's name of it.
        section: the section of the vendor's manual.
        outcome: what became of it.
        calls: how often it was called, with one id after the other until there was something in the reply.
        records: how many records the last reply holds, or the beginning of it that was read; None for no collection.
        drift: how the last reply departs from what was promised.
        refusal: why it was refused.
        reason: why it was not called.
        recorded: the file that describes the reply, if it is kept.
        unrecorded: why it is not kept, if it should be.
    """

    model_config = ConfigDict(frozen=True)

    operation: str
    section: str
    outcome: Outcome
    calls: int = 0
    records: int | None = None
    drift: tuple[Deviation, ...] = ()
    refusal: Refusal | None = None
    reason: str | None = None
    recorded: str | None = None
    unrecorded: str | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.outcome in {Outcome.DRIFTED, Outcome.REFUSED}


class Known:
    """What is known to ask with.

    Args:
        guesses: what is asked with behind what the platform tells.
    """

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
