"""A report as a page that stands alone: its own style, nothing loaded, no script."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import get_args

from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from app.api.languages import TAGS, language_of
from app.resources.reports.charts import Bar, bars, columns, swatch
from app.resources.reports.schemas import Breakdown, CampaignReport, PartName, Timeline
from app.resources.reports.wording import Wording, minute, number, percent
from app.texts import sentence

_ASSETS = Path(__file__).with_name("assets")
_MOST_LINKS = 20
_MOST_POINTS = 400


def report_page(report: CampaignReport, campaign_id: int, scope: Scope) -> Response:
    """Answer with the page, in the language that the request prefers."""
    tag = TAGS[language_of(scope)]
    style = _asset("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _Page(report, campaign_id, Wording(language_of(scope)))
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": tag,
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Vary": "Accept, Accept-Language",
    }
    return HTMLResponse(Template(_asset("report.html")).substitute(page.parts(), tag=tag, style=style), headers=headers)


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


class _Page:
    """Everything that its methods return is HTML."""

    def __init__(self, report: CampaignReport, campaign_id: int, words: Wording) -> None:
        self._report = report
        self._id = campaign_id
        self._words = words
        self._say = words.say
        self._label = words.label

    def parts(self) -> dict[str, str]:
        heading = self._heading()
        return {
            "title": f"{self._label('title')}: {heading}",
            "heading": heading,
            "facts": "\n".join(f'<p class="soft">{fact}</p>' for fact in self._facts()),
            "errors": self._errors(),
            "tiles": "\n".join(self._tiles()),
            "sections": "\n".join(self._sections()),
            "read_at": "\n".join(f"<p>{line}</p>" for line in self._read_at()),
        }

    def _heading(self) -> str:
        campaign = self._report.campaign
        names = [each.name for each in campaign.templates if each.name] if campaign else []
        if names:
            return escape(" / ".join(names))
        return self._say(sentence("Campaign {campaign_id}", campaign_id=self._id))

    def _facts(self) -> Iterator[str]:
        campaign = self._report.campaign
        if campaign is None:
            return
        yield escape(" · ".join(each for each in (campaign.from_name, campaign.from_address, campaign.batch) if each))
        lists = escape(" / ".join(each.name for each in campaign.lists if each.name))
        status = self._say(campaign.status) if campaign.status and campaign.status != "unknown" else ""
        began = campaign.started_at or campaign.scheduled_at
        yield " · ".join(each for each in (lists, status, minute(began) if began else "") if each)

    def _errors(self) -> str:
        if not self._report.errors:
            return ""
        parts = ", ".join(self._words.source(each.part) for each in self._report.errors)
        return f'<p class="notice" role="note">{self._label("missing")} {parts}</p>'

    def _tiles(self) -> Iterator[str]:
        delivery, engagement = self._report.delivery, self._report.engagement
        delivered, opened = number(delivery.delivered), number(engagement.unique_opens)
        sent, of_opens = delivery.delivery_rate, engagement.click_to_open_rate
        yield self._tile(
            "delivered",
            delivered,
            "" if sent is None else sentence("{rate} of {count} sent", rate=percent(sent), count=number(delivery.sent)),
        )
        yield self._tile("opened", opened, *self._rates(engagement.open_rate, delivered, engagement.open_ratio))
        yield self._tile(
            "clicked",
            number(engagement.unique_clicks),
            "" if of_opens is None else sentence("{rate} of {count} opened", rate=percent(of_opens), count=opened),
            *self._rates(engagement.click_rate, delivered, engagement.click_ratio),
        )
        yield self._tile("credits", number(self._report.credits))

    def _tile(self, name: str, figure: str, *notes: str) -> str:
        lines = "".join(f'<dd class="unit">{self._say(note)}</dd>' for note in notes if note)
        return f'<div><dt>{self._label(name)}</dt><dd class="figure">{figure}</dd>{lines}</div>'

    def _rates(self, rate: float | None, delivered: str, platforms: str | None) -> Iterator[str]:
        if rate is not None:
            yield sentence("{rate} of {count} delivered", rate=percent(rate), count=delivered)
        if platforms:
            yield sentence("the platform says {ratio}", ratio=platforms)

    def _sections(self) -> Iterator[str]:
        report = self._report
        yield self._section("timeline", self._timeline(report.timeline), wide=True)
        yield self._section("funnel", self._funnel())
        yield self._section("failures", self._failures())
        yield self._section("links", self._links(), wide=True)
        for name in ("devices", "browsers", "systems", "countries"):
            yield self._section(name, self._breakdown(name, getattr(report, name)))
        if report.differences:
            yield self._section("differences", self._differences(), wide=True)

    def _section(self, name: str, content: str, *, wide: bool = False) -> str:
        kind = ' class="wide"' if wide else ""
        heading = f'<h2 id="{name}">{self._label(name)}</h2>'
        return f'<section aria-labelledby="{name}"{kind}>{heading}{content}</section>'

    def _funnel(self) -> str:
        delivery, engagement = self._report.delivery, self._report.engagement
        steps = {
            "recipients": delivery.expected,
            "sent": delivery.sent,
            "delivered": delivery.delivered,
            "opened": engagement.unique_opens,
            "clicked": engagement.unique_clicks,
        }
        whole = max((value for value in steps.values() if value), default=0)
        if not whole:
            return self._nothing(None)
        rows = [
            Bar(self._label(name), value, percent(value / whole)) for name, value in steps.items() if value is not None
        ]
        return bars(self._label("funnel"), rows, whole=whole)

    def _failures(self) -> str:
        reasons = self._report.delivery.by_reason
        if not reasons:
            return self._nothing("failures")
        rows = [Bar(self._label(each.reason), each.count) for each in reasons]
        return bars(self._label("failures"), rows, series="clicks")

    def _links(self) -> str:
        links = self._report.links
        if not links:
            return self._nothing("tracking")
        rows = [
            Bar(
                escape(link.url or "–"),
                link.unique_clicks or 0,
                self._say(sentence("{count} clicks", count=number(link.total_clicks))),
            )
            for link in links[:_MOST_LINKS]
        ]
        left = len(links) - _MOST_LINKS
        more = f'<p class="soft">{self._say(sentence("and {count} more", count=left))}</p>' if left > 0 else ""
        return bars(self._label("links"), rows, series="clicks") + more

    def _breakdown(self, name: str, breakdown: Breakdown | None) -> str:
        if breakdown is None or not breakdown.top:
            return self._nothing("opens")
        counts = [(escape(row.name) if row.name else self._label("untold"), row.recipients) for row in breakdown.top]
        if breakdown.other:
            counts.append((self._label("other"), breakdown.other))
        whole = sum(count for _, count in counts)
        return bars(
            self._label(name), [Bar(text, count, percent(count / whole)) for text, count in counts], whole=whole
        )

    def _timeline(self, timeline: Timeline | None) -> str:
        if timeline is None or not timeline.points:
            return self._nothing("opens")
        points = timeline.points
        most = max(max(point.first_opens, point.first_clicks) for point in points)
        legend = "".join(f"<span>{swatch(each)} {self._label(f'first_{each}')}</span>" for each in ("opens", "clicks"))
        scale = self._say(sentence("top line: {count}", count=number(most)))
        lines = [(minute(each.at), number(each.first_opens), number(each.first_clicks)) for each in points]
        figures = self._table(["time", "first_opens", "first_clicks"], lines[:_MOST_POINTS])
        return (
            f'<div class="timeline"><p class="legend">{legend}<span class="soft">{scale}</span></p>'
            f"{columns(self._label('timeline'), points, timeline.interval)}"
            f'<p class="axis"><span>{minute(points[0].at)}</span><span>{minute(points[-1].at)}</span></p></div>'
            f"<details><summary>{self._label('figures')}</summary>"
            f'<div class="scroll" tabindex="0" role="region" aria-label="{self._label("figures")}">{figures}</div>'
            "</details>"
        )

    def _differences(self) -> str:
        lines = []
        for each in self._report.differences:
            said = ", ".join(f"{self._words.source(one.source)}: {number(one.value)}" for one in each.values)
            figure = f'{self._label(each.figure)}<br><span class="unit">{said}</span>'
            lines.append((figure, number(each.difference)))
        return self._table(["figure", "difference"], lines)

    def _table(self, heads: list[str], lines: Sequence[tuple[str, ...]]) -> str:
        head = "".join(f'<th scope="col">{self._label(name)}</th>' for name in heads)
        body = "".join(
            f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
            for first, *cells in lines
        )
        return f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _nothing(self, part: PartName | None) -> str:
        is_unread = any(each.part == part for each in self._report.errors)
        return f'<p class="soft">{self._label("unread" if is_unread else "none")}</p>'

    def _read_at(self) -> Iterator[str]:
        times = [getattr(self._report.read_at, part) for part in get_args(PartName)]
        if known := [time for time in times if time is not None]:
            first, last = (time.isoformat(" ", "seconds") for time in (min(known), max(known)))
            yield self._say(sentence("As the platform had it between {first} and {last}.", first=first, last=last))
        yield self._label("rates")
