"""Campaigns: the two ways of listing them (2.1 and 6.1)."""

from datetime import date

from app.sandbox.context import Context, page_of, read_number
from app.sandbox.dialect import PlatformError, SandboxReply, cdata, document, group, leaf, leaves, padded
from app.sandbox.metrics import counts
from app.sandbox.models import Campaign
from app.sandbox.times import local_date, stamp

DEFAULT_LIMIT = 30


def send_date(campaign: Campaign) -> date:
    """Answer the day a campaign is counted on: when it began, else when it should begin."""
    return local_date(campaign.started or campaign.send_time)


def sender_text(campaign: Campaign) -> str:
    """Answer what stands in ``<sender>``: an address, a domain or ``all``."""
    return campaign.sender.address or campaign.sender.domain or "all"


def list_task(context: Context) -> SandboxReply:
    """2.1: answer the campaigns of a day, of a batch number or of a send id; one of the three is needed."""
    day, ident, number, state = (context.query(name) for name in ("date", "ident", "id", "state"))
    if not (day or ident or number):
        raise PlatformError("param_error", "date，ident，id 必须传一个")
    wanted_day = context.day("date")
    wanted = [
        campaign
        for campaign in context.state.campaigns.values()
        if wanted_day in (None, send_date(campaign))
        and ident in ("", campaign.ident)
        and (not number or campaign.id == read_number(number, 0))
        and (not state or campaign.status == read_number(state, 0))
    ]
    # An empty list holds white space here, and nothing at all in 6.1: callers meet both.
    return document(group("task_list", ["\r\n", *(group("task", [_short(context, campaign)]) for campaign in wanted)]))


def _short(context: Context, campaign: Campaign) -> str:
    templates, lists = _templates(context, campaign), _lists(context, campaign)
    template_id, template_name = templates[0] if templates else ("", "")
    list_id, list_name = lists[0] if lists else ("", "")
    return "".join(
        [
            leaves([("id", campaign.id), ("sn", campaign.ident), ("sender", sender_text(campaign))]),
            cdata("sender_name", campaign.sender_name),
            leaf("replyto", campaign.reply_to),
            leaves([("tpl_id", template_id), ("tpl_name", template_name), ("addr_type", 0)]),
            leaves([("list_id", list_id), ("list_name", list_name)]),
            leaves([("send_qty", campaign.send_to), ("send_qty_remark", campaign.recipient_count)]),
            leaf("send_time", stamp(campaign.send_time)),
            leaf("send_satus", campaign.status),
            _progress(context, campaign),
            leaf("track_status", campaign.track_status),
        ]
    )


def task_list(context: Context) -> SandboxReply:
    """6.1: answer campaigns, newest first, by id, day and status, in pages."""
    number, status = context.query("id"), context.query("send_status") or "all"
    day = context.day("date")
    wanted = [
        campaign
        for campaign in reversed(context.state.campaigns.values())
        if day in (None, send_date(campaign))
        and (not number or campaign.id == read_number(number, 0))
        and (status == "all" or campaign.status == read_number(status, 0))
    ]
    shown = page_of(wanted, context, DEFAULT_LIMIT, always=True)
    return document(group("task_list", (group("task", [_long(context, campaign)]) for campaign in shown)))


def _long(context: Context, campaign: Campaign) -> str:
    sender = campaign.sender
    return "".join(
        [
            leaves([("id", campaign.id), ("sn", campaign.ident), ("acct_type", sender.kind)]),
            leaf("acct_domain", sender.domain if sender.kind == "domain" else ""),
            leaf("acct_address", sender.address),
            leaves([("sender", sender_text(campaign)), ("replyto", campaign.reply_to)]),
            cdata("sender_name", campaign.sender_name),
            group(
                "templates",
                (
                    group("template", [leaf("tpl_id", number), cdata("tpl_name", name)])
                    for number, name in _templates(context, campaign)
                ),
            ),
            leaf("addr_type", 0),
            group(
                "listes",
                (
                    group("item", [leaf("list_id", number), cdata("list_name", name)])
                    for number, name in _lists(context, campaign)
                ),
            ),
            leaves([("send_qty", campaign.send_to), ("send_qty_remak", campaign.recipient_count)]),
            leaf("send_time", stamp(campaign.send_time)),
            _progress(context, campaign),
            leaf("send_status", campaign.status),
            padded("track_status", campaign.track_status),
        ]
    )


def _progress(context: Context, campaign: Campaign) -> str:
    """Write when it ran and how much went out; ``error_count`` is what was not sent at all (see the note in 2.1)."""
    numbers = counts([campaign], context.now)
    ended = campaign.ended if campaign.ended is not None and campaign.ended <= context.now else None
    return leaves(
        [
            ("time_start", stamp(campaign.started)),
            ("time_end", stamp(ended)),
            ("send_count", numbers.sent),
            ("error_count", numbers.invalid),
        ]
    )


def _templates(context: Context, campaign: Campaign) -> list[tuple[int, str]]:
    known = context.state.templates
    return [(number, known[number].name) for number in campaign.template_ids if number in known]


def _lists(context: Context, campaign: Campaign) -> list[tuple[int, str]]:
    known = context.state.lists
    return [(number, known[number].subject) for number in campaign.list_ids if number in known]
