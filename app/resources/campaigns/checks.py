"""How the reads of campaigns are tried out."""

from datetime import date

from app.api.pagination import Page, PageRequest
from app.gateway.checks import BATCH, CAMPAIGN_ID, DAY, NOTHING, Check, same
from app.resources.campaigns.operations import FIND, GET, LIST_SENDS, FindCampaigns, FindSends
from app.resources.campaigns.schemas import Campaign

_AT_ONCE = 20


def _find(_nothing: None) -> FindCampaigns:
    return FindCampaigns(PageRequest(page_size=_AT_ONCE))


def _sends(campaign_id: int) -> FindSends:
    return FindSends(campaign_id=campaign_id)


def _telling(campaigns: Page[Campaign]) -> list[Campaign]:
    """Order campaigns: finished ones have statistics, tracked ones tracking, and the newest are kept the longest."""
    return sorted(campaigns.data, key=_worth, reverse=True)


def _worth(campaign: Campaign) -> tuple[bool, bool, int]:
    return campaign.status == "sent", campaign.tracking == "opens_and_clicks", campaign.id


def _ids(campaigns: Page[Campaign]) -> list[int]:
    return [campaign.id for campaign in _telling(campaigns)]


def _batches(campaigns: Page[Campaign]) -> list[str]:
    return [campaign.batch for campaign in _telling(campaigns) if campaign.batch]


def _days(campaigns: Page[Campaign]) -> list[date]:
    return [campaign.started_at.date() for campaign in _telling(campaigns) if campaign.started_at]


CHECKS = (
    Check(
        operation=FIND,
        by=NOTHING,
        ask=_find,
        path=f"/v1/campaigns?page_size={_AT_ONCE}",
        tells={CAMPAIGN_ID: _ids, BATCH: _batches, DAY: _days},
    ),
    Check(operation=GET, by=CAMPAIGN_ID, ask=same, path="/v1/campaigns/{}"),
    Check(operation=LIST_SENDS, by=CAMPAIGN_ID, ask=_sends, path="/v1/sends?campaign_id={}"),
)
