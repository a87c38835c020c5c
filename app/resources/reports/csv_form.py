"""A report as one CSV table, a line per figure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from app.api.tables import CSV, CsvTable
from app.resources.reports.schemas import Breakdown, CampaignReport

_Line = dict[str, Any]


class ReportLine(BaseModel):
    """A figure, and what it belongs to."""

    table: str
    item: str | None
    figure: str
    value: int | float | str | None


def report_table(report: CampaignReport, campaign_id: int, *, raw_cells: bool) -> Response:
    """Answer with a report's tables, one below the other."""
    table = CsvTable(ReportLine, raw_cells=raw_cells)
    content = table.head() + table.rows(list(_lines(report)))
    headers = {
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "Content-Disposition": f'attachment; filename="campaign-{campaign_id}-report.csv"',
    }
    return Response(content, media_type=CSV, headers=headers)


def _lines(report: CampaignReport) -> Iterator[_Line]:
    yield from _figures("delivery", None, report.delivery.model_dump(exclude={"by_reason"}))
    for each in report.delivery.by_reason or ():
        yield _line("failures", each.reason, "recipients", each.count)
    yield from _figures("engagement", None, report.engagement.model_dump())
    yield _line("cost", None, "credits", report.credits)
    for link in report.links:
        yield from _figures("links", link.url, link.model_dump(include={"unique_clicks", "total_clicks"}))
    for name in ("devices", "browsers", "systems", "countries"):
        yield from _breakdown(name, getattr(report, name))
    for point in report.timeline.points if report.timeline else ():
        yield from _figures("timeline", point.at.isoformat(), point.model_dump(exclude={"at"}))
    for difference in report.differences:
        yield from (_line("differences", difference.figure, each.source, each.value) for each in difference.values)
    for error in report.errors:
        yield _line("errors", error.part, "code", error.code)


def _breakdown(name: str, breakdown: Breakdown | None) -> Iterator[_Line]:
    if breakdown is not None:
        yield from (_line(name, row.name, "recipients", row.recipients) for row in breakdown.top)
        yield _line(f"{name}_other", None, "recipients", breakdown.other)


def _figures(table: str, item: str | None, figures: Mapping[str, Any]) -> Iterator[_Line]:
    return (_line(table, item, figure, value) for figure, value in figures.items())


def _line(table: str, item: str | None, figure: str, value: Any) -> _Line:
    return {"table": table, "item": item, "figure": figure, "value": value}
