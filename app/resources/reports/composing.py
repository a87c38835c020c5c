"""A report, put together from its parts."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any, get_args

from app.errors import NotFound
from app.resources.reports.reading import ReportParts
from app.resources.reports.schemas import (
    CampaignReport,
    DeliveryFigures,
    Difference,
    EngagementFigures,
    FailureCounts,
    IntervalName,
    OpenCounts,
    PartName,
    ReadTimes,
    ReportError,
    SourceName,
    SourceValue,
    Timeline,
    TimelinePoint,
)
from app.resources.tracking.operations import rate
from app.resources.tracking.schemas import TrackedLink, Tracking

_WEEK = timedelta(days=7)
_NEVER_TRIED = ("invalid_address", "format_error")
_REFUSED = ("mailbox_not_found", "mailbox_full", "recipient_rejected", "spam_rejected")
_ACTIVITY = ("unique_opens", "total_opens", "unique_clicks")

_COMPARED: Mapping[str, Mapping[SourceName, str]] = {
    "expected": {"campaign": "recipient_count", "statistics": "expected_count"},
    "sent": {"campaign": "sent_count", "statistics": "sent_count", "tracking": "sent_count"},
    "delivered": {"statistics": "delivered_count", "tracking": "delivered_count"},
    "failed": {"statistics": "failed_count", "tracking": "failed_count", "failures": "failed"},
    "invalid": {"campaign": "error_count", "statistics": "invalid_count", "failures": "invalid"},
    **{reason: {"statistics": f"{reason}_count", "failures": reason} for reason in _REFUSED},
    **{figure: {"tracking": figure, "opens": figure} for figure in _ACTIVITY},
    "total_clicks": {"tracking": "total_clicks", "opens": "total_clicks", "links": "total_clicks"},
}
"""What each source calls a figure."""

Figures = Mapping[SourceName, Mapping[str, Any]]


def compose(parts: ReportParts) -> CampaignReport:
    figures = _figures(parts)
    opens = parts.opens.value
    delivery = _delivery(parts, figures)
    return CampaignReport(
        campaign=parts.campaign.value,
        delivery=delivery,
        engagement=_engagement(figures, delivery.delivered),
        links=_links(parts.tracking.value),
        devices=opens.devices if opens else None,
        browsers=opens.browsers if opens else None,
        systems=opens.systems if opens else None,
        countries=opens.countries if opens else None,
        timeline=timeline(opens, _suitable(opens)) if opens else None,
        credits=parts.statistics.value.credits if parts.statistics.value else None,
        read_at=ReadTimes(**{name: getattr(parts, name).read_at for name in get_args(PartName)}),
        errors=_errors(parts),
        differences=list(_differences(figures)),
    )


def timeline(opens: OpenCounts, interval: IntervalName) -> Timeline:
    """Return when messages were first opened and clicked, by the hour or by the day."""
    if interval == "hour":
        return Timeline(interval="hour", points=opens.hours)
    days = []
    for day, hours in groupby(opens.hours, key=lambda hour: hour.at.replace(hour=0)):
        points = list(hours)
        first_opens, first_clicks = sum(each.first_opens for each in points), sum(each.first_clicks for each in points)
        days.append(TimelinePoint(at=day, first_opens=first_opens, first_clicks=first_clicks))
    return Timeline(interval="day", points=days)


def _suitable(opens: OpenCounts) -> IntervalName:
    return "day" if opens.hours and opens.hours[-1].at - opens.hours[0].at > _WEEK else "hour"


def _figures(parts: ReportParts) -> Figures:
    """Return what each source says; nothing for one that could not be read."""
    figures: dict[SourceName, Mapping[str, Any]] = {}
    for name in ("campaign", "statistics", "tracking", "opens"):
        part = getattr(parts, name).value
        figures[name] = part.model_dump() if part else {}
    figures["failures"] = _failure_figures(parts.failures.value) if parts.failures.value else {}
    links = figures["tracking"].get("links")
    figures["links"] = {} if links is None else {"total_clicks": sum(link["total_clicks"] or 0 for link in links)}
    return figures


def _failure_figures(failures: FailureCounts) -> Mapping[str, int]:
    counts: dict[str, int] = {each.reason: each.count for each in failures.by_reason}
    invalid = sum(counts.get(reason, 0) for reason in _NEVER_TRIED)
    refused = {reason: counts.get(reason, 0) for reason in _REFUSED}
    return {**refused, "invalid": invalid, "failed": failures.total - invalid}


def _of(figures: Figures, figure: str, *sources: SourceName) -> int | None:
    """Return a figure from the first source that tells it."""
    said = (figures[source].get(_COMPARED[figure][source]) for source in sources)
    return next((value for value in said if value is not None), None)


def _delivery(parts: ReportParts, figures: Figures) -> DeliveryFigures:
    sent = _of(figures, "sent", "statistics", "tracking", "campaign")
    delivered = _of(figures, "delivered", "statistics", "tracking")
    return DeliveryFigures(
        expected=_of(figures, "expected", "statistics", "campaign"),
        sent=sent,
        delivered=delivered,
        failed=_of(figures, "failed", "statistics", "tracking"),
        delivery_rate=rate(delivered, sent),
        by_reason=parts.failures.value.by_reason if parts.failures.value else None,
    )


def _engagement(figures: Figures, delivered: int | None) -> EngagementFigures:
    counts = {figure: _of(figures, figure, "tracking", "opens") for figure in (*_ACTIVITY, "total_clicks")}
    unique_opens, unique_clicks = counts["unique_opens"], counts["unique_clicks"]
    return EngagementFigures(
        **counts,
        open_rate=rate(unique_opens, delivered),
        open_ratio=figures["tracking"].get("open_ratio"),
        click_rate=rate(unique_clicks, delivered),
        click_ratio=figures["tracking"].get("click_ratio"),
        click_to_open_rate=rate(unique_clicks, unique_opens),
    )


def _links(tracking: Tracking | None) -> list[TrackedLink]:
    links = tracking.links if tracking else []
    return sorted(links, key=lambda link: (-(link.unique_clicks or 0), -(link.total_clicks or 0)))


def _errors(parts: ReportParts) -> list[ReportError]:
    found = [(name, getattr(parts, name).error) for name in get_args(PartName)]
    return [
        ReportError(part=name, code=error.code)
        for name, error in found
        if error is not None and not isinstance(error, NotFound)
    ]


def _differences(figures: Figures) -> Iterator[Difference]:
    for figure, names in _COMPARED.items():
        said = [(source, figures[source].get(name)) for source, name in names.items()]
        values = [SourceValue(source=source, value=value) for source, value in said if value is not None]
        numbers = {each.value for each in values}
        if len(numbers) > 1:
            yield Difference(figure=figure, values=values, difference=max(numbers) - min(numbers))
