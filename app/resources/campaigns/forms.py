"""What the platform is told of campaigns: the form fields of add-task (manual 5.1, 6.2) and edit-task (6.3)."""

from collections.abc import Collection
from dataclasses import dataclass

from app.gateway.clock import write_time
from app.resources.campaigns.editing import EditCampaign, Timing
from app.resources.campaigns.records import MODE_CODES, TRACKING_CODES
from app.resources.campaigns.requests import CampaignChanges, ChosenSender, NewCampaign, Recipients
from app.resources.campaigns.schemas import CampaignSender
from app.upstream.envelope import Parameters


@dataclass(frozen=True, slots=True)
class CreateCampaign:
    """A campaign, and its schedule on the platform's clock."""

    campaign: NewCampaign
    timing: Timing


def _sender(sender: ChosenSender | CampaignSender) -> dict[str, str]:
    if sender.type == "any":
        return {"send_domain": "all", "send_account": "all"}
    if sender.type == "domain":
        return {"send_domain": sender.domain or "", "send_account": "all"}
    # The domain could be left out here (manual 6.2), but where it is missing, 6.3 takes all domains.
    address = sender.address or ""
    return {"send_domain": address.rpartition("@")[2], "send_account": address}


def _recipients(recipients: Recipients) -> dict[str, str]:
    return {"send_qty_start": str(recipients.first), "send_qty": str(recipients.last or 0)}


def _settings(campaign: NewCampaign | CampaignChanges, given: Collection[str]) -> dict[str, str]:
    """Write those of the given fields that adding and editing call by the same name."""
    written = {
        "template_ids": ("tpl_id", ",".join(map(str, campaign.template_ids))),
        "list_id": ("maillist_id", str(campaign.list_id)),
        "from_name": ("send_fullname", campaign.from_name),
        "reply_to": ("send_replyto", campaign.reply_to or ""),
        "tracking": ("track_status", str(TRACKING_CODES[campaign.tracking])),
        "tracking_domain": ("track_domain", campaign.tracking_domain or ""),
        "unsubscribe_link": ("subs_link", "1" if campaign.unsubscribe_link else "0"),
    }
    return dict(written[name] for name in written if name in given)


def _timing(timing: Timing, status: str, time: str) -> dict[str, str]:
    """Write when to send, under the names that adding and editing have for it."""
    written = {status: str(MODE_CODES[timing.mode])}
    return written if timing.time is None or timing.mode == "now" else {**written, time: write_time(timing.time)}


def _left_at(timing: Timing, time: str) -> str | None:
    return time if timing.mode == "now" else None


def new_campaign(request: CreateCampaign) -> Parameters:
    """Write a campaign to add (manual 5.1, 6.2), with nothing left to a default that could send to the wrong people."""
    campaign = request.campaign
    # The manual gives two different defaults for a missing status (5.1: wait, 6.2: send at once), so none is relied on.
    form = {
        **_settings(campaign, {name for name, value in campaign if value is not None}),
        **_sender(campaign.sender),
        **_recipients(campaign.recipients),
        **_timing(request.timing, "status", "time"),
    }
    return Parameters(form=form, time=_left_at(request.timing, "time"))


def edited_campaign(request: EditCampaign) -> Parameters:
    """Write a complete edit (manual 6.3): the fields to change, and those that the platform would reset."""
    form = {
        **_settings(request.changes, request.changes.model_fields_set),
        **_sender(request.sender),
        **_recipients(request.recipients),
        **_timing(request.timing, "send_status", "send_time"),
    }
    time = _left_at(request.timing, "send_time")
    return Parameters(query={"id": str(request.campaign_id)}, form=form, time=time)
