"""Chapters 2 and 3: delivery failures and tracking."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.sandbox.context import Context, read_number
from app.sandbox.delivery import DELIVERED, FORMAT, INVALID, NOT_EXIST, OVER_QUOTA, SPAM, UNDOCUMENTED, USER_REJECT
from app.sandbox.dialect import HTML, PlatformError, SandboxReply, cdata, document, group, leaf, leaves, plain_text
from app.sandbox.metrics import Activity, activity, click_times, clicks, clicks_by_reader, counts, done, opens, past
from app.sandbox.models import Campaign, MailDelivery
from app.sandbox.operations.statistics import started_campaigns
from app.sandbox.times import stamp


def _campaign(context: Context) -> Campaign | None:
    """Find a campaign by batch number or send id; the batch number wins, an unknown one gives ``None``."""
    ident, number = context.query("ident"), context.query("id")
    if not (ident or number):
        raise PlatformError("param_error", "id，ident 必须有一个")
    for campaign in context.state.campaigns.values():
        if campaign.ident == ident or (not ident and campaign.id == read_number(number, 0)):
            return campaign
    return None


def overview(context: Context) -> SandboxReply:
    """3.1: answer a campaign's numbers and its three ids; an unknown campaign gives an empty root."""
    campaign = _campaign(context)
    if campaign is None:
        return document(group("track", []), declared=False)
    numbers = counts([campaign], context.now)
    opened, clicked = opens(campaign, context.now), clicks(campaign, context.now)
    parts = [
        leaves([("track_id", campaign.track_id), ("task_id", campaign.task_id)]),
        leaves([("task_sn", campaign.ident), ("send_id", campaign.id), ("send_count", numbers.sent)]),
        leaves([("real_send_count", numbers.delivered), ("error_send_count", numbers.failed)]),
        leaves([("open_unique", opened.unique), ("open_total", opened.total)]),
        leaves([("open_first", stamp(opened.first)), ("open_last", stamp(opened.later))]),
        _clicked(clicked),
        leaf("open_ratio", _ratio(opened.unique, numbers.delivered)),
        leaf("click_ratio", _ratio(clicked.unique, numbers.delivered)),
        group("link_statistic", (_link(context, campaign, link_id) for link_id in campaign.links)),
    ]
    return document(group("track", parts), declared=False)


def _ratio(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.2f}%"


def _clicked(clicked: Activity) -> str:
    return leaves(
        [
            ("click_unique", clicked.unique),
            ("click_total", clicked.total),
            ("click_first", stamp(clicked.first)),
            ("click_last", stamp(clicked.later)),
        ]
    )


def _link(context: Context, campaign: Campaign, link_id: int) -> str:
    clicked = clicks(campaign, context.now, link_id)
    return group("link", [leaf("link_id", link_id), cdata("link", campaign.links[link_id]), _clicked(clicked)])


def open_detail(context: Context) -> SandboxReply:
    """3.2: answer everybody who opened a message, with the undocumented ``device``."""
    campaign = _campaign(context)
    readers = [] if campaign is None else [item for item in campaign.deliveries if past(item.opens, context.now)]
    return document(group("data", (group("user", [_user(context, delivery)]) for delivery in readers)))


def _user(context: Context, delivery: MailDelivery) -> str:
    opened = activity([past(delivery.opens, context.now)])
    clicked = activity([click_times(delivery, context.now)])
    reader = delivery.reader
    came_back = opened.total > 1
    return "".join(
        [
            leaf("email_id", delivery.email_id),
            cdata("email", delivery.email),
            leaves([("browser", reader.browser), ("os", reader.os), ("device", reader.device)]),
            leaves([("addr_first", reader.place), ("ip_first", reader.ip)]),
            leaf("ip_last", reader.later_ip if came_back else ""),
            leaf("addr_last", reader.later_place if came_back else ""),
            leaves([("open_total", opened.total), ("click_total", clicked.total)]),
            leaves([("open_first", stamp(opened.first)), ("open_last", stamp(opened.later))]),
            leaves([("click_first", stamp(clicked.first)), ("click_last", stamp(clicked.later))]),
        ]
    )


def click_detail(context: Context) -> SandboxReply:
    """3.3: answer each reader's clicks on each link, or on the one that ``link_id`` names."""
    campaign = _campaign(context)
    entries = [] if campaign is None else clicks_by_reader(campaign, context.now, _link_id(context))
    return document(
        group(
            "data",
            (
                group(
                    "click",
                    [
                        leaf("click_id", click.id),
                        leaf("email", delivery.email),
                        cdata("link", campaign.links[click.link_id] if campaign else ""),
                        _clicked(activity([past(click.times, context.now)])),
                    ],
                )
                for delivery, click in entries
            ),
        )
    )


def _link_id(context: Context) -> int | None:
    return context.query_number("link_id", 0) or None


def link_stat(context: Context) -> SandboxReply:
    """3.5: answer the clicks on each link, or on the one that ``link_id`` names."""
    campaign = _campaign(context)
    if campaign is None:
        return document(group("data", []))
    wanted = _link_id(context)
    return document(
        group("data", (_link(context, campaign, link_id) for link_id in campaign.links if wanted in (None, link_id)))
    )


def trackexport(context: Context) -> SandboxReply:
    """3.4: answer who opened, or clicked, one address a line; ``track_id`` is no send id."""
    track_id = read_number(context.required_query("track_id"), 0)
    only_clicked, link_id = context.query("is_click") == "1", _link_id(context)
    email_id = context.query_number("email_id", 0)
    return plain_text(
        delivery.email
        for campaign in context.state.campaigns.values()
        if campaign.track_id == track_id
        for delivery in campaign.deliveries
        if past(delivery.opens, context.now)
        and email_id in (0, delivery.email_id)
        and (not (only_clicked or link_id) or click_times(delivery, context.now, link_id))
    )


TRACKING_OPERATIONS = {
    ("track", "overview"): overview,
    ("track", "open-detail"): open_detail,
    ("track", "click-detail"): click_detail,
    ("track", "link-stat"): link_stat,
    ("trackexport", ""): trackexport,
}


ALL = -1
TYPES: Mapping[str, int] = MappingProxyType(
    {
        "format_error": FORMAT,
        "invalid_addr": INVALID,
        "not_exist": NOT_EXIST,
        "over_quota": OVER_QUOTA,
        "user_reject": USER_REJECT,
        "all": ALL,
    }
)
DESCRIPTIONS: Mapping[int, str] = MappingProxyType(
    {
        FORMAT: "格式错误",
        INVALID: "无效地址",
        NOT_EXIST: "邮箱不存在",
        OVER_QUOTA: "邮箱空间满",
        USER_REJECT: "用户拒收",
        UNDOCUMENTED: "其他原因",
        SPAM: "系统判定为垃圾邮件拒发",
    }
)
_OF_CAMPAIGNS = frozenset({NOT_EXIST, OVER_QUOTA, USER_REJECT})
"""Types that are told of one campaign only."""


@dataclass(frozen=True)
class Failure:
    """One address that did not get its message."""

    email: str
    type: int
    task_id: int


def failexport(context: Context) -> SandboxReply:
    """2.3.1: answer failed addresses of a day (``date_end``: of several)."""
    context.required_day("date")
    failures = _failures(context)
    addresses = [failure.email for failure in failures]
    elements = (_short_recipient(failure) for failure in failures)
    return _export(context, failures, addresses, elements, ["email", *addresses])


def failexportall(context: Context) -> SandboxReply:
    """2.3.2: answer failed addresses of a day or a campaign with their type."""
    if not any(context.query(name) for name in ("date", "task_id", "task_ident")):
        raise PlatformError("param_error", "date，task_id，task_ident 必传其一")
    failures = _failures(context)
    records = [
        {"email": failure.email, "type": str(failure.type), "task_id": str(failure.task_id)} for failure in failures
    ]
    elements = (group("recipient", [leaves(record.items())]) for record in records)
    rows = ["email,type,task_id", *(",".join(record.values()) for record in records)]
    return _export(context, failures, records, elements, rows)


def _wanted_type(context: Context) -> int:
    text = context.required_query("type")
    number = TYPES[text] if text in TYPES else read_number(text, ALL)
    if number != ALL and number not in DESCRIPTIONS:
        raise PlatformError("param_error", "type 参数错误")
    if number in _OF_CAMPAIGNS and not (context.query("task_id") or context.query("task_ident")):
        raise PlatformError("param_error", "task_id 或者 task_ident 其一是必要参数")
    return number


def _failures(context: Context) -> list[Failure]:
    wanted = _wanted_type(context)
    campaigns = started_campaigns(
        context, first=context.day("date"), last=context.day("date_end"), ident=context.query("task_ident")
    )
    task_id = context.query_number("task_id", 0)
    return [
        Failure(delivery.email, delivery.outcome, campaign.task_id)
        for campaign in campaigns
        if task_id in (0, campaign.task_id)
        for delivery in done(campaign, context.now)
        if delivery.outcome != DELIVERED and wanted in (ALL, delivery.outcome)
    ]


def _short_recipient(failure: Failure) -> str:
    reason = [("error_type", failure.type), ("error_type_dec", DESCRIPTIONS[failure.type])]
    return group("recipient", [leaf("email", failure.email), leaves(reason)])


def _export(
    context: Context, failures: Sequence[Failure], records: object, elements: Iterable[str], rows: Iterable[str]
) -> SandboxReply:
    """Answer in the form of ``out_type``: one address a line, or XML elements, JSON records, a file of CSV rows."""
    form = context.query("out_type")
    if form == "xml":
        return document(group("fail_recipient_list", elements))
    if form == "json":
        return SandboxReply(json.dumps(records, ensure_ascii=False, indent=4).encode(), HTML)
    if form == "file":
        headers = {"Content-Disposition": 'attachment; filename="fail.csv"'}
        return SandboxReply(plain_text(rows).body, "application/octet-stream", headers=headers)
    if form:
        raise PlatformError("param_error", "out_type 参数错误")
    return plain_text(failure.email for failure in failures)


FAILURES_OPERATIONS = {("failexport", ""): failexport, ("failexportall", ""): failexportall}
