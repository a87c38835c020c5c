"""Upstream operations of campaigns (manual 2.1, 5.1 and 6.1 to 6.4)."""

from dataclasses import dataclass
from datetime import date, datetime

from app.gateway.checks import BATCH, CAMPAIGN_ID, DAY, NOTHING, Check, same
from app.gateway.operation import RUNNING, CachePolicy, DeadlineClass, Effect, Operation, acknowledged, by
from app.gateway.pages import Collection, Page, PageRequest, pagination
from app.resources.campaigns.editing import EditCampaign
from app.resources.campaigns.forms import CreateCampaign, edited_campaign, new_campaign
from app.resources.campaigns.records import (
    CAMPAIGN,
    LIST_ADDRESSES,
    MODE_CODES,
    SEND,
    STATUS_CODES,
    STATUS_WORDS,
    TRACKING_CODES,
)
from app.resources.campaigns.schemas import Campaign, CampaignList, CampaignSender, CampaignTemplate, Send, Status
from app.texts import sentence
from app.upstream.document import Document
from app.upstream.envelope import Parameters

_SCRIPT = "task.php"
_TAGS = frozenset({"campaigns"})
_CHANGED_BY_SENDING = frozenset({"campaigns", "statistics", "tracking", "quota"})


@dataclass(frozen=True, slots=True)
class FindCampaigns:
    """A search by status and by the day of sending."""

    page: PageRequest
    status: Status | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class FindSends:
    """A search by exactly one of day, batch number and campaign, and by the raw status code."""

    day: date | None = None
    batch: str | None = None
    campaign_id: int | None = None
    status_code: int | None = None


def _encode_find(request: FindCampaigns) -> Parameters:
    query = {"page": str(request.page.page), "limit": str(request.page.page_size)}
    if request.day is not None:
        query["date"] = request.day.isoformat()
    if request.status is not None:
        query["send_status"] = str(STATUS_CODES[request.status])
    return Parameters(query=query)


def _encode_sends(request: FindSends) -> Parameters:
    given = {
        "date": request.day,
        "ident": request.batch,
        "id": request.campaign_id,
        "state": request.status_code,
    }
    return Parameters(query={name: str(value) for name, value in given.items() if value is not None})


def _campaigns(document: Document, request: FindCampaigns) -> Page[Campaign]:
    campaigns = document.records("task", CAMPAIGN)
    page, received = request.page, len(campaigns)
    # Only the last page tells how many there are.
    is_last = received < page.page_size and (received > 0 or page.page == 1)
    total = (page.page - 1) * page.page_size + received if is_last else None
    return Page[Campaign](data=campaigns, pagination=pagination(page, total=total, received=received))


def _campaign(document: Document, campaign_id: int) -> Campaign:
    return document.one(
        "task", CAMPAIGN, campaign_id, missing=sentence("There is no campaign {campaign_id}.", campaign_id=campaign_id)
    )


def _created(document: Document, request: CreateCampaign) -> Campaign:
    campaign, status_code = request.campaign, MODE_CODES[request.timing.mode]
    sender = campaign.sender
    return Campaign(
        id=document.created_id(),
        batch=None,
        sender=CampaignSender(type=sender.type, domain=sender.domain, address=sender.address),
        from_address=sender.address,
        from_name=campaign.from_name,
        reply_to=campaign.reply_to,
        templates=[CampaignTemplate(id=each, name=None) for each in campaign.template_ids],
        lists=[CampaignList(id=campaign.list_id, name=None)],
        address_source="list",
        address_source_code=LIST_ADDRESSES,
        send_limit=campaign.recipients.last or 0,
        recipient_count=None,
        scheduled_at=request.timing.time,
        started_at=None,
        finished_at=None,
        sent_count=None,
        error_count=None,
        status=STATUS_WORDS[status_code],
        status_code=status_code,
        tracking=campaign.tracking,
        tracking_code=TRACKING_CODES[campaign.tracking],
    )


def _sends(document: Document, _request: FindSends) -> Collection[Send]:
    return Collection[Send](data=document.records("task", SEND))


_OVER = frozenset({"sent", "cancelled"})


def _is_over(_campaign_id: int, campaign: Campaign, _now: datetime) -> bool:
    return campaign.status in _OVER


_PROGRESS: CachePolicy[int, Campaign] = CachePolicy(
    lifetime=3.0, stale_while_revalidate=5.0, stale_if_error=600.0, settled=_is_over, settled_lifetime=60.0
)

FIND = Operation(
    name="campaigns.find",
    section="6.1",
    script=_SCRIPT,
    do="task-list",
    root="task_list",
    encode=_encode_find,
    decode=_campaigns,
    effect=Effect.READ,
    tags=_TAGS,
    cache=RUNNING,
)

GET = Operation(
    name="campaigns.get",
    section="6.1",
    script=_SCRIPT,
    do="task-list",
    root="task_list",
    encode=by("id"),
    decode=_campaign,
    effect=Effect.READ,
    tags=_TAGS,
    cache=_PROGRESS,
)

CREATE = Operation(
    name="campaigns.create",
    section="5.1, 6.2",
    script=_SCRIPT,
    do="add-task",
    encode=new_campaign,
    decode=_created,
    effect=Effect.SEND,
    deadline=DeadlineClass.WRITE,
    tags=_CHANGED_BY_SENDING,
    counts_as_campaign=True,
    find_out="`GET /v1/campaigns?date=…` with the day it is sent on shows whether it is there; look before creating it"
    " again, or people get it twice.",
)

EDIT = Operation(
    name="campaigns.edit",
    section="6.3",
    script=_SCRIPT,
    do="edit-task",
    encode=edited_campaign,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/campaigns/{campaign_id}` shows the campaign as it is; sending the change again is safe.",
)
"""An edit after which the campaign is held."""

EDIT_QUEUED = Operation(
    name="campaigns.edit_queued",
    section="6.3",
    script=_SCRIPT,
    do="edit-task",
    encode=edited_campaign,
    decode=acknowledged,
    effect=Effect.SEND,
    deadline=DeadlineClass.WRITE,
    tags=_CHANGED_BY_SENDING,
    find_out="`GET /v1/campaigns/{campaign_id}` shows whether the campaign is changed and whether it has started.",
)
"""An edit after which the campaign is in the queue; repeated after the start, it could be queued and sent again."""

DELETE = Operation(
    name="campaigns.delete",
    section="6.4",
    script=_SCRIPT,
    do="del-task",
    encode=by("id"),
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/campaigns/{campaign_id}` shows whether the campaign is still there; deleting it again is safe.",
)

LIST_SENDS = Operation(
    name="sends.list",
    section="2.1",
    script=_SCRIPT,
    do="list-task",
    root="task_list",
    encode=_encode_sends,
    decode=_sends,
    effect=Effect.READ,
    tags=_TAGS,
    cache=RUNNING,
)


def edit_operation(request: EditCampaign) -> Operation[EditCampaign, None]:
    """Return the operation whose effect is that of the edit."""
    return EDIT if request.timing.mode == "hold" else EDIT_QUEUED


_AT_ONCE = 20


def _first_page(_nothing: None) -> FindCampaigns:
    return FindCampaigns(PageRequest(page_size=_AT_ONCE))


def _sends_of(campaign_id: int) -> FindSends:
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
        ask=_first_page,
        path=f"/v1/campaigns?page_size={_AT_ONCE}",
        tells={CAMPAIGN_ID: _ids, BATCH: _batches, DAY: _days},
    ),
    Check(operation=GET, by=CAMPAIGN_ID, ask=same, path="/v1/campaigns/{}"),
    Check(operation=LIST_SENDS, by=CAMPAIGN_ID, ask=_sends_of, path="/v1/sends?campaign_id={}"),
)
