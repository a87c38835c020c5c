"""Opens and failures of a campaign as figures, counted while the platform writes them (manual 2.3.2 and 3.2)."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from app.gateway.aggregates import Aggregate
from app.gateway.failures import unusable
from app.gateway.identifiers import CampaignKey
from app.gateway.operation import CachePolicy
from app.gateway.streaming import Rows
from app.resources.reports.schemas import Breakdown, BreakdownRow, FailureCounts, OpenCounts, ReasonCount, TimelinePoint
from app.resources.statistics.failures import FIND_FAILURES as FAILURES
from app.resources.statistics.failures import FindFailures
from app.resources.tracking.operations import OPENS

_TOP = 10
_MOST_NAMES = 10_000
_MOST_HOURS = 20_000
_LONGEST_NAME = 100
_DAY = timedelta(days=1)


class _Names:
    """Counts names; of more than can be held, the rarest are counted together."""

    def __init__(self) -> None:
        self._counts: Counter[str | None] = Counter()
        self._other = 0

    def add(self, names: Iterable[str | None]) -> None:
        self._counts.update(names)
        if len(self._counts) > _MOST_NAMES:
            self._keep(_MOST_NAMES // 2)

    def breakdown(self) -> Breakdown:
        self._keep(_TOP)
        top = self._counts.most_common()
        return Breakdown(top=[BreakdownRow(name=name, recipients=count) for name, count in top], other=self._other)

    def _keep(self, most: int) -> None:
        kept = Counter(dict(self._counts.most_common(most)))
        self._other += self._counts.total() - kept.total()
        self._counts = kept


class OpensCounter:
    """Counts who opened: with what, where, and in which hour first."""

    def __init__(self) -> None:
        self._recipients = self._opens = self._clicked = self._clicks = 0
        self._devices, self._browsers, self._systems, self._countries = _Names(), _Names(), _Names(), _Names()
        self._opened_in: Counter[str] = Counter()
        self._clicked_in: Counter[str] = Counter()

    def add(self, rows: Rows) -> None:
        self._recipients += len(rows)
        self._opens += sum(row["total_opens"] or 0 for row in rows)
        self._clicks += sum(row["total_clicks"] or 0 for row in rows)
        self._clicked += sum(1 for row in rows if row["total_clicks"] or row["first_click_at"])
        self._devices.add(_name(row["device"]) for row in rows)
        self._browsers.add(_name(row["browser"]) for row in rows)
        self._systems.add(_name(row["os"]) for row in rows)
        self._countries.add(_name((row["first_location"] or {}).get("country")) for row in rows)
        self._opened_in.update(_hour(row["first_open_at"]) for row in rows if row["first_open_at"])
        self._clicked_in.update(_hour(row["first_click_at"]) for row in rows if row["first_click_at"])
        if len(self._opened_in) + len(self._clicked_in) > _MOST_HOURS:
            raise unusable(OPENS, "opens in more hours than a campaign can have")

    def result(self) -> OpenCounts:
        hours = sorted({*self._opened_in, *self._clicked_in})
        return OpenCounts(
            unique_opens=self._recipients,
            total_opens=self._opens,
            unique_clicks=self._clicked,
            total_clicks=self._clicks,
            devices=self._devices.breakdown(),
            browsers=self._browsers.breakdown(),
            systems=self._systems.breakdown(),
            countries=self._countries.breakdown(),
            hours=[
                TimelinePoint(
                    at=datetime.fromisoformat(f"{hour[:13]}:00:00{hour[13:]}"),
                    first_opens=self._opened_in[hour],
                    first_clicks=self._clicked_in[hour],
                )
                for hour in hours
            ],
        )


class FailuresCounter:
    """Counts who did not get the message, by reason."""

    def __init__(self) -> None:
        self._reasons: Counter[Any] = Counter()

    def add(self, rows: Rows) -> None:
        self._reasons.update(row["reason"] or "unknown" for row in rows)

    def result(self) -> FailureCounts:
        reasons = self._reasons.most_common()
        return FailureCounts(
            total=self._reasons.total(),
            by_reason=[ReasonCount(reason=reason, count=count) for reason, count in reasons],
        )


def _name(text: str | None) -> str | None:
    return text[:_LONGEST_NAME] if text else None


def _hour(moment: str) -> str:
    """Cut a time in the platform's zone to its hour and its offset."""
    return moment[:13] + moment[19:]


def _is_a_day_old(_campaign: CampaignKey, counts: OpenCounts, now: datetime) -> bool:
    return bool(counts.hours) and counts.hours[0].at < now - _DAY


OPEN_COUNTS = Aggregate(
    name="reports.opens",
    export=OPENS,
    counter=OpensCounter,
    cache=CachePolicy(lifetime=15.0, stale_while_revalidate=15.0, settled=_is_a_day_old, settled_lifetime=600.0),
)

FAILURE_COUNTS: Aggregate[FindFailures] = Aggregate(
    name="reports.failures",
    export=FAILURES,
    counter=FailuresCounter,
    cache=CachePolicy(lifetime=60.0, stale_while_revalidate=60.0),
)
