"""Endpoints of reports."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.api.deps import ReadCall, resource_router
from app.api.documentation import documents
from app.api.exports import RawCells
from app.api.negotiation import accept_header, preferred
from app.api.openapi_answers import headers
from app.api.responses import answer
from app.api.tables import CSV, JSON
from app.api.types import Id
from app.gateway.cached_reads import entry_of
from app.resources.reports.composing import compose, timeline
from app.resources.reports.csv_form import report_table
from app.resources.reports.operations import OPEN_COUNTS
from app.resources.reports.page import report_page
from app.resources.reports.reading import read_parts
from app.resources.reports.schemas import CampaignReport, IntervalName, OpenCounts, Timeline

router = resource_router("/v1/campaigns/{campaign_id}", "Reports")

CampaignId = Annotated[Id, Path(description="The campaign's id.", examples=[5500001])]

_HTML = "text/html"
_DOCUMENTED = documents(OPEN_COUNTS, kept=False, summary="Get a campaign's report", response_model=CampaignReport)
_DOCUMENTED["responses"][200] = {
    "description": "The report, as data, as a page that stands alone, or as a table",
    "headers": headers("Vary", "Content-Disposition", "Content-Language"),
    "content": {
        _HTML: {"schema": {"type": "string"}},
        CSV: {"schema": {"type": "string", "description": "RFC 4180: `table,item,figure,value`, a line per figure."}},
    },
}


@router.get("/report", **_DOCUMENTED)
async def get_campaign_report(campaign_id: CampaignId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return a campaign's delivery, opens, clicks and cost, and where the platform's own sources disagree.

    It is read from the campaign, its statistics, its tracking and the lists of failures and opens, side by side; each
    call of the platform counts as a request. A part that cannot be read stands in `errors`, and the rest is answered.
    """
    parts = await read_parts(call, campaign_id)
    report = compose(parts)
    wanted = preferred(accept_header(call.request.headers), (JSON, _HTML, CSV))
    if wanted == CSV:
        return report_table(report, campaign_id, raw_cells=raw_cells)
    if wanted == _HTML:
        return report_page(report, campaign_id, call.request.scope)
    return answer(report, headers={"Vary": "Accept"})


@router.get(
    "/tracking/timeline",
    **documents(OPEN_COUNTS, summary="Get when a campaign was opened and clicked", response_model=Timeline),
)
async def get_campaign_timeline(
    campaign_id: CampaignId,
    call: ReadCall,
    interval: Annotated[IntervalName, Query(description="How long a point lasts, in the platform's zone.")] = "hour",
) -> Response:
    """Return how many recipients opened and clicked for the first time in each hour, or on each day."""
    served = await call.aggregate(OPEN_COUNTS, campaign_id)
    counts = OpenCounts.model_validate_json(served.entry.body)
    entry = entry_of(timeline(counts, interval).model_dump_json().encode(), served.entry.windows)
    return call.answer(served._replace(entry=entry))
