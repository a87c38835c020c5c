"""Exports of what could not be delivered (manual 2.3)."""

from dataclasses import dataclass
from datetime import date, tzinfo

from app.gateway.checks import BATCH, DAY, ExportCheck
from app.gateway.operation import Export
from app.resources.statistics.operations import TAGS
from app.resources.statistics.schemas import DeliveryFailure, FailedAddress, WantedReason
from app.upstream.envelope import Parameters
from app.upstream.records import Element, Record
from app.upstream.sources import XmlRecords
from app.upstream.values import Enumeration, identifier, integer

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
_WITHOUT_A_NAME = 4
"""The platform writes this code, and the manual does not list it."""
_TYPE = ("type", "error_type")
_DESCRIPTION = "error_type_dec"
# The words that `type` takes (manual 2.3.1); replies may hold them as well as the numbers.
_NUMBERS = {"not_exist": 1, "over_quota": 2, "user_reject": 3, "invalid_addr": 8, "format_error": 9}


def _reason_code(value: str, zone: tzinfo) -> int | None:
    if value.isascii() and value.replace("_", "").isalpha():
        return _NUMBERS.get(value.lower())
    return integer(value, zone)


def _reason(value: str, zone: tzinfo) -> str | None:
    number = _reason_code(value, zone)
    if number == _WITHOUT_A_NAME:
        return "unknown"
    return None if number is None else _REASONS.get(number)


_FAILURE = Record(
    DeliveryFailure,
    {
        "email": Element("email"),
        "reason": Element(*_TYPE, convert=Enumeration(_reason)),
        "reason_code": Element(*_TYPE, convert=_reason_code),
        "reason_text": Element(_DESCRIPTION, optional=True),
        "statistics_id": Element("task_id", convert=identifier),
    },
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


def _encode_failures(request: FindFailures) -> Parameters:
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


FIND_FAILURES = Export(
    name="failures.find",
    section="2.3.2",
    script="failexportall.php",
    encode=_encode_failures,
    source=XmlRecords("fail_recipient_list", "recipient", _FAILURE),
    tags=TAGS,
)

FAILED_ADDRESSES = Export(
    name="failures.addresses",
    section="2.3.1",
    script="failexport.php",
    encode=_encode_failures,
    source=XmlRecords("fail_recipient_list", "recipient", _ADDRESS),
    tags=TAGS,
)


def _of_batch(batch: str) -> FindFailures:
    return FindFailures(batch=batch)


def _of_day(day: date) -> FindFailures:
    return FindFailures(first_day=day)


FAILURE_CHECKS = (
    ExportCheck(operation=FIND_FAILURES, by=BATCH, ask=_of_batch, path="/v1/delivery-failures?batch={}"),
    ExportCheck(operation=FAILED_ADDRESSES, by=DAY, ask=_of_day, path="/v1/delivery-failures/addresses?date={}"),
)
