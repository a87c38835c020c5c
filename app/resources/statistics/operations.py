"""Upstream operations of statistics (manual 2.2, 2.4, 2.5)."""

from datetime import date, datetime, timedelta

from app.errors import NotFound
from app.gateway.checks import BATCH, DAY, Check, same
from app.gateway.identifiers import CampaignKey, key_query, no_statistics
from app.gateway.operation import GROWING, CachePolicy, Effect, Operation
from app.gateway.pages import Collection
from app.resources.statistics.schemas import (
    CampaignStatistics,
    CreditStatistics,
    DailyStatistics,
    StatisticsRow,
)
from app.texts import sentence
from app.upstream.document import Document, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.listed import Listed
from app.upstream.records import Element, Record
from app.upstream.values import day, identifier, integer, number

_DAILY = Record(
    DailyStatistics,
    {
        "date": Element("date", convert=day),
        "web_task_count": Element("ws_qty", convert=integer),
        "web_failed_count": Element("ws_error", convert=integer),
        "web_sent_count": Element("ws_count", convert=integer),
        "invalid_address_count": Element("invalid_addr", convert=integer),
        "format_error_count": Element("format_error", convert=integer),
        "estimated_send_count": Element("send_count", convert=integer),
        "estimated_credits": Element("deduc_count", convert=number),
        "actual_send_count": Element("actual_send", convert=integer),
        "failed_count": Element("send_error", convert=integer),
        "actual_credits": Element("actual_deduc", convert=number),
    },
)

_CAMPAIGN = Record(
    StatisticsRow,
    {
        "statistics_id": Element("task_id", convert=identifier),
        "date": Element("task_date", convert=day),
        "batch": Element("task_ident"),
        "expected_count": Element("totalsum", convert=integer),
        "sent_count": Element("total", convert=integer),
        "invalid_count": Element("invalid", convert=integer),
        "failed_count": Element("failed", convert=integer),
        "delivered_count": Element("success", convert=integer),
        "mailbox_not_found_count": Element("email_not_exist", convert=integer),
        "mailbox_full_count": Element("over_quota", convert=integer),
        "recipient_rejected_count": Element("user_reject", convert=integer),
        "spam_rejected_count": Element("rubbish", convert=integer),
        "credits": Element("actual", convert=number),
    },
)

_CREDITS = Record(
    CreditStatistics,
    {
        "date": Element("date", convert=day),
        "company": Element("company"),
        "deduction_type": Element("deduction"),
        "send_count": Element("send_num", convert=integer),
        "total": Element("total", convert=number),
    },
)


def _by_day(wanted: date) -> Parameters:
    return Parameters(query={"date": wanted.isoformat()})


def _by_campaign(campaign: CampaignKey) -> Parameters:
    return Parameters(query=key_query(campaign))


def _daily(document: Document, wanted: date) -> DailyStatistics:
    if not document.content:
        raise NotFound(sentence("There are no statistics of {value}.", value=wanted.isoformat()))
    found = document.record(_DAILY)
    if found.date not in {None, wanted}:
        raise UnexpectedForm("the statistics of another day")
    return found


def _campaigns(document: Document, _wanted: date) -> Collection[CampaignStatistics]:
    found = document.records("task", _CAMPAIGN)
    rows = [{**row, "campaign_id": None} for row in found.rows]
    return Collection[CampaignStatistics](data=Listed(CampaignStatistics, rows, is_whole=found.is_whole))


def _campaign(document: Document, campaign: CampaignKey) -> CampaignStatistics:
    found = [each for each in document.records("task", _CAMPAIGN) if each.statistics_id or each.batch]
    if not found:
        raise no_statistics(campaign)
    # A row does not say its campaign's id, so by that only one row can be told to be the right one.
    named = [each for each in found if isinstance(campaign, str) and (each.batch or "").lower() == campaign.lower()]
    chosen = named or [each for each in found if isinstance(campaign, int) or each.batch is None]
    if len(chosen) != 1 or (not named and len(found) > 1):
        raise UnexpectedForm("statistics among which those of the campaign cannot be told")
    campaign_id = campaign if isinstance(campaign, int) else None
    return CampaignStatistics(**chosen[0].model_dump(), campaign_id=campaign_id)


def _credits(document: Document, _wanted: date) -> Collection[CreditStatistics]:
    return Collection[CreditStatistics](data=document.records("list", _CREDITS))


TAGS = frozenset({"campaigns", "statistics"})

_STILL_COUNTED = timedelta(days=2)
"""Bounces and late deliveries are counted on the day of sending."""


def _is_past(wanted: date, _result: object, now: datetime) -> bool:
    return wanted < now.date() - _STILL_COUNTED


_BY_DAY: CachePolicy[date, object] = CachePolicy(
    lifetime=15.0, stale_while_revalidate=15.0, stale_if_error=86_400.0, settled=_is_past, settled_lifetime=3600.0
)

DAILY = Operation(
    name="statistics.daily",
    section="2.2",
    script="statistic.php",
    root="statistic",
    encode=_by_day,
    decode=_daily,
    effect=Effect.READ,
    tags=TAGS,
    cache=_BY_DAY,
)

LIST = Operation(
    name="statistics.list",
    section="2.4",
    script="stask.php",
    root="data",
    encode=_by_day,
    decode=_campaigns,
    effect=Effect.READ,
    tags=TAGS,
    cache=_BY_DAY,
)

GET = Operation(
    name="statistics.get",
    section="2.4",
    script="stask.php",
    root="data",
    encode=_by_campaign,
    decode=_campaign,
    effect=Effect.READ,
    tags=TAGS,
    cache=GROWING,
)

CREDITS = Operation(
    name="statistics.credits",
    section="2.5",
    script="deduction.php",
    root="data",
    encode=_by_day,
    decode=_credits,
    effect=Effect.READ,
    tags=TAGS,
    cache=_BY_DAY,
)

CHECKS = (
    Check(operation=DAILY, by=DAY, ask=same, path="/v1/statistics/daily/{}"),
    Check(operation=LIST, by=DAY, ask=same, path="/v1/statistics/campaigns?date={}"),
    Check(operation=GET, by=BATCH, ask=same, path="/v1/batches/{}/statistics"),
    Check(operation=CREDITS, by=DAY, ask=same, path="/v1/statistics/credits?date={}"),
)
