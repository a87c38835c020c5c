"""How the reads and exports of tracking are tried out."""

from app.gateway.checks import CAMPAIGN_ID, TRACK_ID, Check, ExportCheck, same
from app.resources.tracking.operations import (
    CLICKS,
    LINKS,
    OPENS,
    OVERVIEW,
    RECIPIENTS,
    FindClicks,
    FindRecipients,
)
from app.resources.tracking.schemas import Tracking

_PATH = "/v1/campaigns/{}/tracking"


def _clicks(campaign_id: int) -> FindClicks:
    return FindClicks(campaign_id)


def _recipients(track_id: int) -> FindRecipients:
    return FindRecipients(track_id)


def _track_ids(tracking: Tracking) -> list[int]:
    return [tracking.track_id] if tracking.track_id else []


CHECKS = (
    Check(operation=OVERVIEW, by=CAMPAIGN_ID, ask=same, path=_PATH, tells={TRACK_ID: _track_ids}),
    ExportCheck(operation=OPENS, by=CAMPAIGN_ID, ask=same, path=f"{_PATH}/opens"),
    ExportCheck(operation=CLICKS, by=CAMPAIGN_ID, ask=_clicks, path=f"{_PATH}/clicks"),
    Check(operation=LINKS, by=CAMPAIGN_ID, ask=_clicks, path=f"{_PATH}/links"),
    ExportCheck(operation=RECIPIENTS, by=TRACK_ID, ask=_recipients, path="/v1/tracking/{}/recipients"),
)
