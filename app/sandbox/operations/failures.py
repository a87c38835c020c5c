"""Chapter 2, failed addresses: 2.3.1 and 2.3.2."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.sandbox.context import Context, read_number
from app.sandbox.delivery import DELIVERED, FORMAT, INVALID, NOT_EXIST, OVER_QUOTA, SPAM, UNDOCUMENTED, USER_REJECT
from app.sandbox.dialect import HTML, SandboxReply, document, group, leaf, leaves, plain_text
from app.sandbox.errors import PlatformError
from app.sandbox.metrics import done
from app.sandbox.operations.statistics import started_campaigns

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


OPERATIONS = {("failexport", ""): failexport, ("failexportall", ""): failexportall}
