"""Campaigns: making, changing and deleting them (5.1, 6.2 to 6.4); ``campaign_lists`` shows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sandbox.context import Context, find, read_number
from app.sandbox.dialect import PlatformError, SandboxReply, result
from app.sandbox.lines import is_address, is_domain
from app.sandbox.metrics import credits_used
from app.sandbox.models import Campaign, Sender
from app.sandbox.operations.campaign_lists import list_task, task_list
from app.sandbox.operations.templates import review
from app.sandbox.state import HELD, PAUSED, SENDING, WAITING
from app.sandbox.times import CHINA, parse_time

CALLS_PER_HOUR = 100
AT_ONCE = 2
CLOCK_TOLERANCE = timedelta(seconds=5)
"""By how much a send time may be over when the call arrives."""


@dataclass(frozen=True)
class ParameterNames:
    """What adding and editing call the same two things."""

    status: str
    time: str


ADD = ParameterNames("status", "time")
EDIT = ParameterNames("send_status", "send_time")


def add_task(context: Context) -> SandboxReply:
    """5.1 and 6.2: make a campaign; ``id`` of the reply is its send id."""
    _count_call(context)
    for name in ("tpl_id", "send_account", "send_fullname", "maillist_id", "time"):
        context.required(name)
    if context.state.profile.bought <= credits_used(context.state, context.now):
        raise PlatformError("qty_not_enough")
    now = context.now
    campaign = Campaign(
        id=0,
        task_id=0,
        track_id=0,
        ident="",
        template_ids=[],
        list_ids=[],
        sender=Sender("all"),
        sender_name="",
        send_time=now,
        released=now,
    )
    _change(context, campaign, ADD)
    _number(context, campaign)
    context.state.campaigns[campaign.id] = campaign
    context.state.advance(now)
    return result("success", "添加群发任务成功！", record_id=campaign.id)


def _count_call(context: Context) -> None:
    start = context.now - timedelta(hours=1)
    calls = [moment for moment in context.state.campaign_calls if moment > start]
    if len(calls) >= CALLS_PER_HOUR:
        raise PlatformError("call_limit")
    context.state.campaign_calls = [*calls, context.now]


def _number(context: Context, campaign: Campaign) -> None:
    """Give a campaign its three ids and its batch number."""
    ids = context.state.ids
    campaign.id, campaign.task_id, campaign.track_id = ids.take("send"), ids.take("task"), ids.take("track")
    written = context.now.astimezone(CHINA).strftime("%Y%m%d%H%M%S")
    campaign.ident = f"{written}-{context.state.customer_id}-{campaign.id % 1000}"


def _change(context: Context, campaign: Campaign, names: ParameterNames) -> None:
    """Check every given parameter, then write them all: a refused call changes nothing."""
    template_ids = _template_ids(context) or campaign.template_ids
    list_ids = _numbers(context, "maillist_id") or campaign.list_ids
    for number in list_ids:
        find(context.state.lists, str(number))
    send_from, send_to = _range(context, campaign)
    status = _choice(context, names.status, campaign.status, (HELD, WAITING, AT_ONCE))
    send_time = _send_time(context, names.time, held=status == HELD) or campaign.send_time
    track_status = _choice(context, "track_status", campaign.track_status, (0, 1, 2))
    subs_link = _choice(context, "subs_link", int(campaign.subs_link), (0, 1))
    reply_to = context.text("send_replyto").strip() if context.has("send_replyto") else campaign.reply_to
    track_domain = context.text("track_domain").strip() if context.has("track_domain") else campaign.track_domain
    if reply_to and not is_address(reply_to.lower()):
        raise PlatformError("address_error")
    sender = _sender(context) or campaign.sender

    campaign.template_ids, campaign.list_ids, campaign.sender = template_ids, list_ids, sender
    campaign.send_from, campaign.send_to, campaign.reply_to = send_from, send_to, reply_to
    campaign.track_status, campaign.subs_link = track_status, bool(subs_link)
    campaign.sender_name = context.text("send_fullname").strip() or campaign.sender_name
    campaign.track_domain = track_domain
    campaign.send_time = min(send_time, context.now) if status == AT_ONCE else send_time
    campaign.status = WAITING if status == AT_ONCE else status
    campaign.released = context.now
    campaign.recipient_count = len(context.state.recipients(campaign))


def _numbers(context: Context, name: str) -> list[int]:
    return [read_number(part, 0) for part in context.text(name).split(",") if part.strip()]


def _template_ids(context: Context) -> list[int]:
    numbers = _numbers(context, "tpl_id")
    for number in numbers:
        template = find(context.state.templates, str(number))
        if review(context, template)[0] == 0:
            raise PlatformError("template_not_pass")
    return numbers


def _range(context: Context, campaign: Campaign) -> tuple[int, int]:
    send_from = context.number("send_qty_start", campaign.send_from)
    send_to = context.number("send_qty", campaign.send_to)
    if send_from < 1 or send_to < 0 or 0 < send_to < send_from:
        raise PlatformError("qty_error")
    return send_from, send_to


def _send_time(context: Context, name: str, *, held: bool) -> datetime | None:
    """Read a send time; one that is over is refused, but for a held campaign, which does not go out by it."""
    text = context.text(name)
    moment = parse_time(text)
    if text.strip() and moment is None:
        raise PlatformError("time_error")
    if moment is not None and not held and moment < context.now - CLOCK_TOLERANCE:
        raise PlatformError("time_error", "发送时间不能早于当前时间")
    return moment


def _choice(context: Context, name: str, default: int, allowed: tuple[int, ...]) -> int:
    value = context.number(name, default)
    if value not in allowed:
        raise PlatformError("param_error", f"参数 {name} 错误")
    return value


def _sender(context: Context) -> Sender | None:
    """Read the sender: ``all``/``all``, a domain with ``all``, or one address; ``None`` when nothing is given."""
    account = context.text("send_account").strip().lower()
    domain = context.text("send_domain").strip().lower()
    if not account and not domain:
        return None
    if account == "all" and domain == "all":
        return Sender("all")
    if account == "all" and is_domain(domain):
        return Sender("domain", domain=domain)
    if is_address(account):
        return Sender("address", domain=account.partition("@")[2], address=account)
    raise PlatformError("param_error", "发件人错误")


def edit_task(context: Context) -> SandboxReply:
    """6.3: change a campaign that has not begun; the status and the time have names of their own here."""
    campaign = find(context.state.campaigns, context.required("id"))
    if campaign.status not in (WAITING, HELD, PAUSED):
        raise PlatformError("task_status_error")
    _change(context, campaign, EDIT)
    context.state.advance(context.now)
    return result("success", "修改群发任务成功！")


def del_task(context: Context) -> SandboxReply:
    """6.4: delete a campaign that is not being sent right now; what it sent stays in the statistics."""
    campaign = find(context.state.campaigns, context.required("id"))
    if campaign.status == SENDING:
        raise PlatformError("task_status_error")
    context.state.deleted_campaigns.append(context.state.campaigns.pop(campaign.id))
    return result("success", "删除群发任务成功！")


OPERATIONS = {
    ("task", "add-task"): add_task,
    ("task", "edit-task"): edit_task,
    ("task", "del-task"): del_task,
    ("task", "list-task"): list_task,
    ("task", "task-list"): task_list,
}
