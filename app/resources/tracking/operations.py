"""Upstream operations of tracking (manual, chapter 3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from app.gateway.checks import CAMPAIGN_ID, TRACK_ID, Check, ExportCheck, same
from app.gateway.identifiers import CampaignKey, key_query, no_tracking
from app.gateway.operation import GROWING, Effect, Export, Operation
from app.gateway.pages import Collection
from app.resources.tracking.schemas import Click, Location, Open, TrackedLink, TrackedRecipient, Tracking
from app.upstream.document import Document, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.records import Combined, Element, Record
from app.upstream.sources import ADDRESS, ReadLines, Row, TextLines, XmlRecords
from app.upstream.values import identifier, integer, local_time, text

HEADINGS = frozenset({"email", "e-mail", "address", "邮件地址", "邮箱地址", "邮箱"})


def address_lines(_document: Document) -> ReadLines:
    return lambda lines: _rows([line.partition("\t")[0].strip() for line in lines], "line")


def addresses_below(name: str, content: Any, document: Document) -> list[Row]:
    """Return the rows of what stands below a child of the root."""
    return _rows(list(_elements(content, name)), f"{document.root}/email")


def _rows(values: list[str], path: str) -> list[Row]:
    if not all(map(ADDRESS.fullmatch, values)):
        raise UnexpectedForm(f"a {path} that is no address")
    return [{"email": value} for value in values]


def _elements(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _elements(each, name)
    elif isinstance(node, dict):
        for child, content in node.items():
            yield from _elements(content, name if child == "#text" else child)
    elif name == "email" and isinstance(node, str) and node.strip():
        yield node.strip()


_SCRIPT = "track.php"


def location(value: str, zone: tzinfo) -> Location | None:
    """Read `continent|country|place`, any part of which may be empty; a text without bars is a place."""
    parts = [part.strip() or None for part in text(value, zone).split("|", 2)]
    if not any(parts):
        return None
    continent, country, place = [None, None, *parts] if len(parts) == 1 else [*parts, None][:3]
    return Location(continent=continent, country=country, place=place)


def rate(unique: int | None, delivered: int | None) -> float | None:
    """Return the share of recipients: 0 to 1, or None when nothing was delivered or the counts are not known.

    The platform counts opens and deliveries apart, and a forwarded message may be opened by more people than it was
    delivered to: such a share is 1.
    """
    if unique is None or not delivered or delivered < 0:
        return None
    return min(max(unique / delivered, 0.0), 1.0)


_OPEN_TIMES = {
    "first_open_at": Element("open_first", convert=local_time),
    "last_open_at": Element("open_last", convert=local_time),
}
_CLICK_TIMES = {
    "first_click_at": Element("click_first", convert=local_time),
    "last_click_at": Element("click_last", convert=local_time),
}
_CLICKS = {
    "unique_clicks": Element("click_unique", convert=integer),
    "total_clicks": Element("click_total", convert=integer),
    **_CLICK_TIMES,
}

_LINK = Record(TrackedLink, {"id": Element("link_id", convert=identifier), "url": Element("link"), **_CLICKS})

_TRACKING = Record(
    Tracking,
    {
        "track_id": Element("track_id", convert=identifier),
        "statistics_id": Element("task_id", convert=identifier),
        "batch": Element("task_sn"),
        "campaign_id": Element("send_id", convert=identifier),
        "sent_count": Element("send_count", convert=integer),
        "delivered_count": Element("real_send_count", convert=integer),
        "failed_count": Element("error_send_count", convert=integer),
        "unique_opens": Element("open_unique", convert=integer),
        "total_opens": Element("open_total", convert=integer),
        **_OPEN_TIMES,
        **_CLICKS,
        "open_ratio": Element("open_ratio"),
        "click_ratio": Element("click_ratio"),
    },
    nested={"links": (("link_statistic", "link"), _LINK)},
    combined={
        # The platform gives rates, too, without a unit.
        "open_rate": Combined(rate, "unique_opens", "delivered_count"),
        "click_rate": Combined(rate, "unique_clicks", "delivered_count"),
    },
)

_OPEN = Record(
    Open,
    {
        "email_id": Element("email_id", convert=identifier),
        "email": Element("email"),
        "browser": Element("browser"),
        "os": Element("os"),
        "device": Element("device", optional=True),
        "first_location": Element("addr_first", convert=location),
        "last_location": Element("addr_last", convert=location),
        "first_ip": Element("ip_first"),
        "last_ip": Element("ip_last"),
        "total_opens": Element("open_total", convert=integer),
        "total_clicks": Element("click_total", convert=integer),
        **_OPEN_TIMES,
        **_CLICK_TIMES,
    },
)

_CLICK = Record(
    Click,
    {"id": Element("click_id", convert=identifier), "email": Element("email"), "url": Element("link"), **_CLICKS},
)


@dataclass(frozen=True, slots=True)
class FindClicks:
    """A campaign's clicks: on one link, or on all."""

    campaign: CampaignKey
    link_id: int | None = None


@dataclass(frozen=True, slots=True)
class FindRecipients:
    """Recipients known to one tracking: those who clicked, those who clicked one link, one of them, or all."""

    track_id: int
    clicked: bool | None = None
    link_id: int | None = None
    email_id: int | None = None


def _by_campaign(campaign: CampaignKey) -> Parameters:
    return Parameters(query=key_query(campaign))


def _by_link(request: FindClicks) -> Parameters:
    query = key_query(request.campaign)
    return Parameters(query=query if request.link_id is None else {**query, "link_id": str(request.link_id)})


def _encode_recipients(request: FindRecipients) -> Parameters:
    query = {"track_id": str(request.track_id)}
    if request.clicked is not None:
        query["is_click"] = "1" if request.clicked else "0"
    if request.link_id is not None:
        query["link_id"] = str(request.link_id)
    if request.email_id is not None:
        query["email_id"] = str(request.email_id)
    return Parameters(query=query)


def _tracking(document: Document, campaign: CampaignKey) -> Tracking:
    found = document.record(_TRACKING)
    if not (found.track_id or found.statistics_id or found.batch or found.campaign_id):
        raise no_tracking(campaign)
    another_batch = isinstance(campaign, str) and (found.batch or campaign).lower() != campaign.lower()
    if another_batch or (isinstance(campaign, int) and found.campaign_id not in {None, campaign}):
        raise UnexpectedForm("the overview of another campaign")
    if found.sent_count == 0 and not (found.delivered_count or found.total_opens or found.total_clicks):
        # What has not been sent has no statistics either (manual 2.4); both say so alike.
        raise no_tracking(campaign)
    links = [link.id for link in found.links if link.id is not None]
    if len(set(links)) < len(links):
        raise UnexpectedForm("an overview that names a link twice")
    return found


def _links(document: Document, _request: FindClicks) -> Collection[TrackedLink]:
    return Collection[TrackedLink](data=document.records("link", _LINK))


_TAGS = frozenset({"campaigns", "tracking"})

OVERVIEW = Operation(
    name="tracking.overview",
    section="3.1",
    script=_SCRIPT,
    do="overview",
    root="track",
    encode=_by_campaign,
    decode=_tracking,
    effect=Effect.READ,
    tags=_TAGS,
    cache=GROWING,
)

OPENS = Export(
    name="tracking.opens",
    section="3.2",
    script=_SCRIPT,
    do="open-detail",
    encode=_by_campaign,
    source=XmlRecords("data", "user", _OPEN),
    tags=_TAGS,
)

CLICKS = Export(
    name="tracking.clicks",
    section="3.3",
    script=_SCRIPT,
    do="click-detail",
    encode=_by_link,
    source=XmlRecords("data", "click", _CLICK),
    tags=_TAGS,
)

RECIPIENTS = Export(
    name="tracking.recipients",
    section="3.4",
    script="trackexport.php",
    encode=_encode_recipients,
    source=TextLines(TrackedRecipient, address_lines, headings=HEADINGS, child=addresses_below),
    tags=_TAGS,
)

LINKS = Operation(
    name="tracking.links",
    section="3.5",
    script=_SCRIPT,
    do="link-stat",
    root="data",
    encode=_by_link,
    decode=_links,
    effect=Effect.READ,
    tags=_TAGS,
    cache=GROWING,
)

_PATH = "/v1/campaigns/{}/tracking"


def _clicks(campaign_id: int) -> FindClicks:
    return FindClicks(campaign_id)


def _recipients(track_id: int) -> FindRecipients:
    return FindRecipients(track_id)


def _track_ids(tracking: Tracking) -> list[int]:
    return [tracking.track_id] if tracking.track_id else []


CHECKS = (
    Check(operation=OVERVIEW, by=CAMPAIGN_ID, ask=same, path=_PATH, tells={TRACK_ID: _track_ids}),
    ExportCheck(operation=OPENS, by=CAMPAIGN_ID, ask=same, path=f"{_PATH}/opens"),
    ExportCheck(operation=CLICKS, by=CAMPAIGN_ID, ask=_clicks, path=f"{_PATH}/clicks"),
    Check(operation=LINKS, by=CAMPAIGN_ID, ask=_clicks, path=f"{_PATH}/links"),
    ExportCheck(operation=RECIPIENTS, by=TRACK_ID, ask=_recipients, path="/v1/tracking/{}/recipients"),
)
