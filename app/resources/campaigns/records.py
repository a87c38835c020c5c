"""How the platform writes campaigns (manual 2.1 and 6.1), misspellings included."""

from collections.abc import Mapping
from datetime import tzinfo

from app.resources.campaigns.requests import ScheduleMode
from app.resources.campaigns.schemas import (
    Campaign,
    CampaignList,
    CampaignTemplate,
    CampaignTracking,
    Send,
    Status,
)
from app.upstream.records import Combined, Element, Record
from app.upstream.values import code, identifier, integer, local_time, word

STATUS_CODES: Mapping[Status, int] = {
    "waiting": 1,
    "sending": 2,
    "sent": 3,
    "held": -1,
    "paused": -2,
    "cancelled": -3,
}
MODE_CODES: Mapping[ScheduleMode, int] = {"at": 1, "now": 2, "hold": -1}
"""The status that adding and editing write (manual 6.2, 6.3); afterwards it reads as waiting, sending or held."""
TRACKING_CODES: Mapping[CampaignTracking, int] = {"off": 0, "opens": 1, "opens_and_clicks": 2}
LIST_ADDRESSES = 0

STATUS_WORDS: Mapping[int, Status] = {number: name for name, number in STATUS_CODES.items()}
_TRACKING_WORDS = {number: name for name, number in TRACKING_CODES.items()}
_ADDRESS_SOURCES = {LIST_ADDRESSES: "list", 1: "subscription"}
_SENDER_TYPES = {"all": "any", "domain": "domain", "address": "address"}


def _first_identifier(value: str, zone: tzinfo) -> int | None:
    return identifier(value.partition(",")[0].strip(), zone)


def _identifiers(value: str, zone: tzinfo) -> list[int]:
    found = [identifier(each.strip(), zone) for each in value.split(",")]
    return [each for each in found if each is not None]


def _all(ids: list[int] | None) -> list[int]:
    return ids or []


def _sender(kind: str | None, domain: str | None, address: str | None) -> dict[str, str | None]:
    return {"type": kind, "domain": domain, "address": address}


_COMMON = {
    "id": Element("id", convert=integer, required=True),
    "batch": Element("sn"),
    "from_address": Element("sender"),
    "from_name": Element("sender_name"),
    "reply_to": Element("replyto"),
    "address_source": Element("addr_type", convert=code(_ADDRESS_SOURCES)),
    "address_source_code": Element("addr_type", convert=integer),
    "send_limit": Element("send_qty", convert=integer),
    "recipient_count": Element("send_qty_remak", "send_qty_remark", convert=integer),
    "scheduled_at": Element("send_time", convert=local_time),
    "started_at": Element("time_start", convert=local_time),
    "finished_at": Element("time_end", convert=local_time),
    "sent_count": Element("send_count", convert=integer),
    "error_count": Element("error_count", convert=integer),
    "status": Element("send_status", "send_satus", convert=code(STATUS_WORDS)),
    "status_code": Element("send_status", "send_satus", convert=integer),
    "tracking": Element("track_status", convert=code(_TRACKING_WORDS)),
    "tracking_code": Element("track_status", convert=integer),
}


_TEMPLATE = Record(CampaignTemplate, {"id": Element("tpl_id", convert=identifier), "name": Element("tpl_name")})
_LIST = Record(CampaignList, {"id": Element("list_id", convert=identifier), "name": Element("list_name")})

CAMPAIGN = Record(
    Campaign,
    {
        **_COMMON,
        "acct_type": Element("acct_type", convert=word(_SENDER_TYPES)),
        "acct_domain": Element("acct_domain", optional=True),
        "acct_address": Element("acct_address", optional=True),
    },
    nested={"templates": (("templates", "template"), _TEMPLATE), "lists": (("listes", "item"), _LIST)},
    combined={"sender": Combined(_sender, "acct_type", "acct_domain", "acct_address")},
)

SEND = Record(
    Send,
    {
        **_COMMON,
        "template_id": Element("tpl_id", convert=_first_identifier),
        "template_name": Element("tpl_name"),
        "template_list": Element("tpl_id", convert=_identifiers),
        "list_id": Element("list_id", convert=_first_identifier),
        "list_list": Element("list_id", convert=_identifiers),
        "list_name": Element("list_name"),
    },
    combined={"template_ids": Combined(_all, "template_list"), "list_ids": Combined(_all, "list_list")},
)
