"""Chapters 1 and 2: the account, and statistics."""

from collections.abc import Iterable
from datetime import date, timedelta

from app.sandbox.context import Context, read_number
from app.sandbox.delivery import FORMAT, INVALID, NOT_EXIST, OVER_QUOTA, SPAM, UNDOCUMENTED, USER_REJECT
from app.sandbox.dialect import PlatformError, SandboxReply, cdata, document, group, leaf, leaves, padded
from app.sandbox.metrics import counts, credits_used
from app.sandbox.models import Campaign
from app.sandbox.operations.campaign_lists import send_date
from app.sandbox.times import local_date


def started_campaigns(
    context: Context, *, first: date | None = None, last: date | None = None, ident: str = ""
) -> list[Campaign]:
    """Answer the campaigns that have begun, deleted ones included, limited to days and to a batch number."""
    return [
        campaign
        for campaign in context.state.all_campaigns()
        if campaign.started is not None
        and (first is None or first <= send_date(campaign) <= (last or first))
        and ident in ("", campaign.ident)
    ]


def statistic(context: Context) -> SandboxReply:
    """2.2: answer the numbers of one day."""
    day = context.required_day("date")
    campaigns = started_campaigns(context, first=day)
    numbers = counts(campaigns, context.now)
    return document(
        group(
            "statistic",
            [
                leaves(
                    [
                        ("date", day),
                        ("ws_qty", len(campaigns)),
                        ("ws_error", numbers.failed),
                        ("ws_count", numbers.sent),
                        ("invalid_addr", numbers.of(INVALID)),
                        ("format_error", numbers.of(FORMAT)),
                        ("send_count", numbers.expected),
                        ("deduc_count", numbers.expected),
                        ("actual_send", numbers.sent),
                        ("send_error", numbers.failed),
                        ("actual_deduc", numbers.delivered),
                    ]
                )
            ],
        )
    )


def stask(context: Context) -> SandboxReply:
    """2.4: answer the numbers of each campaign of a day, of a batch number or of a send id."""
    ident, number = context.query("ident"), context.query("id")
    day = context.day("date")
    if not (ident or number or day):
        raise PlatformError("param_error", "date，ident，id 必须传一个")
    campaigns: Iterable[Campaign] = started_campaigns(context, first=day, ident=ident)
    if number:
        campaigns = [campaign for campaign in campaigns if campaign.id == read_number(number, 0)]
    return document(group("data", (group("task", [_task(context, campaign)]) for campaign in campaigns)))


def _task(context: Context, campaign: Campaign) -> str:
    """Write a campaign's numbers; failures of the undocumented type are in none, though chapter 3 counts them."""
    numbers = counts([campaign], context.now)
    unknown = numbers.of(UNDOCUMENTED)
    return leaves(
        [
            ("task_id", campaign.task_id),
            ("task_date", send_date(campaign)),
            ("task_ident", campaign.ident),
            ("totalsum", numbers.expected),
            ("total", numbers.sent - unknown),
            ("invalid", numbers.invalid),
            ("failed", numbers.failed - unknown),
            ("success", numbers.delivered),
            ("email_not_exist", numbers.of(NOT_EXIST)),
            ("actual", numbers.delivered),
            ("over_quota", numbers.of(OVER_QUOTA)),
            ("user_reject", numbers.of(USER_REJECT)),
            ("rubbish", numbers.of(SPAM)),
        ]
    )


def deduction(context: Context) -> SandboxReply:
    """2.5: answer what one day cost; a day without campaigns has no entry."""
    day = context.required_day("date")
    campaigns = started_campaigns(context, first=day)
    numbers = counts(campaigns, context.now)
    entry = [
        leaf("date", day),
        cdata("company", context.state.profile.company),
        leaf("deduction", "web群发"),
        leaves([("send_num", numbers.sent), ("total", numbers.delivered)]),
    ]
    return document(group("data", [group("list", entry)] if campaigns else []))


STATISTICS_OPERATIONS = {("statistic", ""): statistic, ("stask", ""): stask, ("deduction", ""): deduction}


def customer_info(context: Context) -> SandboxReply:
    """1.1: answer the account's profile."""
    profile = context.state.profile
    names = ("company", "contact", "phone", "mobile", "email", "im", "address")
    return document(
        group(
            "customer",
            [
                leaf("id", context.state.customer_id),
                padded("username", context.state.account.username),
                leaves((name, getattr(profile, name)) for name in names),
            ],
        )
    )


def service_info(context: Context) -> SandboxReply:
    """1.2: answer the account's contract and quota."""
    today = local_date(context.now)
    profile = context.state.profile
    return document(
        group(
            "service",
            [
                leaf("id", context.state.customer_id),
                padded("service_status", profile.status),
                leaf("service_type", "all"),
                leaf("send_type", "local"),
                leaf("beginning_date", today - timedelta(days=200)),
                leaf("expiration_date", today + timedelta(days=profile.days_left)),
                leaf("qty_available", profile.bought - credits_used(context.state, context.now)),
                leaf("qty_buytotal", profile.bought),
            ],
        )
    )


ACCOUNT_OPERATIONS = {("account", "customer-info"): customer_info, ("account", "service-info"): service_info}
