"""How the exports of delivery failures are tried out."""

from datetime import date

from app.gateway.checks import BATCH, DAY, ExportCheck
from app.resources.failures.operations import ADDRESSES, FIND, FindFailures


def _of_batch(batch: str) -> FindFailures:
    return FindFailures(batch=batch)


def _of_day(day: date) -> FindFailures:
    return FindFailures(first_day=day)


CHECKS = (
    ExportCheck(operation=FIND, by=BATCH, ask=_of_batch, path="/v1/delivery-failures?batch={}"),
    ExportCheck(operation=ADDRESSES, by=DAY, ask=_of_day, path="/v1/delivery-failures/addresses?date={}"),
)
