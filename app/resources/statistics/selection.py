"""Which failures are asked for: the query parameters, and what may stand together."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Query

from app.api.types import Batch, Id, IsoDate
from app.errors import FieldError, ValidationFailed, parameters_refused
from app.resources.statistics.schemas import WantedReason
from app.texts import sentence

_CAMPAIGN_PARAMETERS = ("campaign_id", "batch", "statistics_id")
_MOST_DAYS = 31
_NEEDS_CAMPAIGN = frozenset({"mailbox_not_found", "mailbox_full", "recipient_rejected"})


@dataclass(frozen=True, slots=True)
class Selection:
    """Failures of days, of a campaign, or both; at most one of the last three is given."""

    first_day: date | None
    last_day: date | None
    reason: WantedReason
    campaign_id: int | None
    batch: str | None
    statistics_id: int | None

    def days(self) -> list[date | None]:
        """Return every day asked for; None where it is any day."""
        return [None] if self.first_day is None else [*days_between(self.first_day, self.last_day)]

    def campaign_parameters(self) -> list[str]:
        """Name the given parameters that choose a campaign."""
        return [name for name in _CAMPAIGN_PARAMETERS if getattr(self, name) is not None]


_DAY = "The day of sending, or the first of several."

FirstDay = Annotated[IsoDate | None, Query(alias="date", description=_DAY)]
NeededFirstDay = Annotated[IsoDate, Query(alias="date", description=_DAY, examples=["2026-03-02"])]
LastDay = Annotated[IsoDate | None, Query(alias="date_end", description="The last day, included.")]
Why = Annotated[WantedReason, Query(description="Why the message was not delivered.")]
CampaignId = Annotated[Id | None, Query(description="A campaign's id.", examples=[5500001])]
BatchNumber = Annotated[
    Batch | None, Query(description="A campaign's batch number.", examples=["20260302093000-2369-1"])
]
StatisticsId = Annotated[
    Id | None, Query(description="A campaign's statistics id, as its statistics show it.", examples=[1036701])
]


async def failure_selection(
    first_day: FirstDay = None,
    last_day: LastDay = None,
    reason: Why = "all",
    campaign_id: CampaignId = None,
    batch: BatchNumber = None,
    statistics_id: StatisticsId = None,
) -> Selection:
    """Read the query parameters (manual 2.3.2)."""
    chosen = Selection(first_day, last_day, reason, campaign_id, batch, statistics_id)
    errors = [*wrong_days(chosen.first_day, chosen.last_day), *_wrong_campaigns(chosen)]
    if not errors and chosen.first_day is None and not chosen.campaign_parameters():
        errors = _one_needed(("date", *_CAMPAIGN_PARAMETERS))
    return _checked(chosen, errors)


async def address_selection(
    first_day: NeededFirstDay,
    last_day: LastDay = None,
    reason: Why = "all",
    campaign_id: CampaignId = None,
    batch: BatchNumber = None,
    statistics_id: StatisticsId = None,
) -> Selection:
    """Read the query parameters of the export of addresses (manual 2.3.1)."""
    chosen = Selection(first_day, last_day, reason, campaign_id, batch, statistics_id)
    return _checked(chosen, [*wrong_days(chosen.first_day, chosen.last_day), *_wrong_campaigns(chosen)])


FailureSelection = Annotated[Selection, Depends(failure_selection)]
AddressSelection = Annotated[Selection, Depends(address_selection)]


def wrong_days(first: date | None, last: date | None) -> list[FieldError]:
    """Return what is wrong with a range of days."""
    if last is None:
        return []
    if first is None:
        return [FieldError("parameter", "date", "missing", "is needed beside `date_end`")]
    if last < first:
        return [FieldError("parameter", "date_end", "before_date", "must not be before `date`")]
    if (last - first).days >= _MOST_DAYS:
        message = sentence("at most {most_days} days may be asked for", most_days=_MOST_DAYS)
        return [FieldError("parameter", "date_end", "too_many_days", message)]
    return []


def days_between(first: date, last: date | None) -> list[date]:
    """Return each day of a range; one without an end is a day."""
    return [first + timedelta(days=each) for each in range(((last or first) - first).days + 1)]


async def day_range(first: NeededFirstDay, last: LastDay = None) -> list[date]:
    """Read `date` and `date_end`, at most 31 days."""
    if errors := wrong_days(first, last):
        raise ValidationFailed(parameters_refused(len(errors)), errors)
    return days_between(first, last)


DayRange = Annotated[list[date], Depends(day_range)]


def _wrong_campaigns(chosen: Selection) -> list[FieldError]:
    given = chosen.campaign_parameters()
    if not given and chosen.reason in _NEEDS_CAMPAIGN:
        return _one_needed(_CAMPAIGN_PARAMETERS)
    if len(given) < 2:
        return []
    message = sentence("at most one of {names} may be given", names=", ".join(_CAMPAIGN_PARAMETERS))
    return [FieldError("parameter", name, "exclusive", message) for name in given]


def _one_needed(names: tuple[str, ...]) -> list[FieldError]:
    message = sentence("at least one of {names} is needed", names=", ".join(names))
    return [FieldError("parameter", name, "one_of_needed", message) for name in names]


def _checked(chosen: Selection, errors: list[FieldError]) -> Selection:
    if errors:
        raise ValidationFailed(parameters_refused(len(errors)), errors)
    return chosen
