"""Upstream operations of delivery failures (manual 2.3)."""

from dataclasses import dataclass
from datetime import date

from app.api.pagination import Collection
from app.gateway.operation import DeadlineClass, Effect, Operation
from app.resources.failures.schemas import DeliveryFailure, FailedAddress, WantedReason
from app.upstream.document import Document, Element, Record
from app.upstream.envelope import Parameters
from app.upstream.values import code, identifier, integer

_CODES: dict[WantedReason, int] = {
    "all": -1,
    "mailbox_not_found": 1,
    "mailbox_full": 2,
    "recipient_rejected": 3,
    "spam_rejected": 5,
    "invalid_address": 8,
    "format_error": 9,
}
_REASONS = {number: reason for reason, number in _CODES.items() if reason != "all"}
_TYPE = ("type", "error_type")
_DESCRIPTION = "error_type_dec"

_FAILURE = Record(
    DeliveryFailure,
    {
        "email": Element("email"),
        "reason": Element(*_TYPE, convert=code(_REASONS)),
        "reason_code": Element(*_TYPE, convert=integer),
        "statistics_id": Element("task_id", convert=identifier),
    },
    ignored=frozenset({_DESCRIPTION}),
)

_ADDRESS = Record(FailedAddress, {"email": Element("email")}, ignored=frozenset({*_TYPE, _DESCRIPTION, "task_id"}))


@dataclass(frozen=True, slots=True)
class FindFailures:
    """Failures of days, of a campaign (by batch number or statistics id), or both."""

    first_day: date | None = None
    last_day: date | None = None
    reason: WantedReason = "all"
    batch: str | None = None
    statistics_id: int | None = None


def _encode(request: FindFailures) -> Parameters:
    query = {"type": str(_CODES[request.reason]), "out_type": "xml"}
    if request.first_day:
        query["date"] = request.first_day.isoformat()
    if request.last_day:
        query["date_end"] = request.last_day.isoformat()
    if request.batch:
        query["task_ident"] = request.batch
    if request.statistics_id:
        query["task_id"] = str(request.statistics_id)
    return Parameters(query=query)


def _failures(document: Document, _request: FindFailures) -> Collection[DeliveryFailure]:
    return Collection[DeliveryFailure](data=document.records("recipient", _FAILURE))


def _addresses(document: Document, _request: FindFailures) -> Collection[FailedAddress]:
    return Collection[FailedAddress](data=document.records("recipient", _ADDRESS))


_TAGS = frozenset({"campaigns", "statistics"})

FIND = Operation(
    name="failures.find",
    section="2.3.2",
    script="failexportall.php",
    root="fail_recipient_list",
    encode=_encode,
    decode=_failures,
    effect=Effect.READ,
    deadline=DeadlineClass.EXPORT,
    tags=_TAGS,
)

ADDRESSES = Operation(
    name="failures.addresses",
    section="2.3.1",
    script="failexport.php",
    root="fail_recipient_list",
    encode=_encode,
    decode=_addresses,
    effect=Effect.READ,
    deadline=DeadlineClass.EXPORT,
    tags=_TAGS,
)
