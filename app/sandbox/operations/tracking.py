"""Chapter 3: opens and clicks, by send id or batch number; only the overview tells the other two ids."""

from app.sandbox.context import Context, read_number
from app.sandbox.dialect import SandboxReply, cdata, document, group, leaf, leaves, plain_text
from app.sandbox.errors import PlatformError
from app.sandbox.metrics import Activity, activity, click_times, clicks, clicks_by_reader, counts, opens, past
from app.sandbox.models import Campaign, Delivery
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


def _user(context: Context, delivery: Delivery) -> str:
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


OPERATIONS = {
    ("track", "overview"): overview,
    ("track", "open-detail"): open_detail,
    ("track", "click-detail"): click_detail,
    ("track", "link-stat"): link_stat,
    ("trackexport", ""): trackexport,
}
