"""How an account is looked over: which reads there are, what each is asked with, and what its answer lets ask next.

Every resource declares the checks of its reads in `checks.py`; `app.doctor` carries them out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

from app.gateway.operation import Effect, Export, Operation

Value = TypeVar("Value")
Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Subject(Generic[Value]):
    """Something that reads are asked with."""

    name: str


NOTHING: Subject[None] = Subject("nothing")
"""What reads are asked with that need no id."""
DAY: Subject[date] = Subject("day of sending")
LIST_ID: Subject[int] = Subject("list id")
CONTACT_ID: Subject[int] = Subject("contact id")
EMAIL: Subject[str] = Subject("contact's address")
TEMPLATE_ID: Subject[int] = Subject("template id")
CAMPAIGN_ID: Subject[int] = Subject("campaign id")
BATCH: Subject[str] = Subject("batch number")
TRACK_ID: Subject[int] = Subject("tracking id")
IMPORT_ID: Subject[int] = Subject("import id")
"""Known only to who has begun the import: no read tells one."""
DOMAIN: Subject[str] = Subject("domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[Value, Request, Result]):
    """One read, tried out.

    Args:
        path: the endpoint that does the same, with `{}` for the value; None where an endpoint takes several calls.
        tells: what an answer lets other reads be asked with, those most worth asking first.
    """

    operation: Operation[Request, Result]
    by: Subject[Value]
    ask: Callable[[Value], Request]
    path: str | None
    tells: Mapping[Subject[Any], Callable[[Result], Iterable[Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.operation.effect is not Effect.READ:
            raise ValueError(f"{self.operation.name} is not a read")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCheck(Generic[Value, Request]):
    """One export, of which only the beginning is read; it tells nothing."""

    operation: Export[Request]
    by: Subject[Value]
    ask: Callable[[Value], Request]
    path: str


AnyCheck = Check[Any, Any, Any] | ExportCheck[Any, Any]


def same(value: Value) -> Value:
    """Ask with the value itself."""
    return value
