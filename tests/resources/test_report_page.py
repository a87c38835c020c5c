"""The report's page: it says what the data say, in two languages, and nothing in it can do anything."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from app.api.languages import catalogue
from app.resources.reports.page import report_page
from app.resources.reports.schemas import CampaignReport
from app.resources.reports.wording import LABELS

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&$title</style>"
AT = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
LINK = {"id": 1, "url": HOSTILE, "unique_clicks": 62, "total_clicks": 90, "first_click_at": AT, "last_click_at": None}
ROWS = {"top": [{"name": HOSTILE, "recipients": 412}, {"name": None, "recipients": 3}], "other": 17}
REPORT: dict[str, Any] = {
    "campaign": None,
    "delivery": {
        "expected": 1200,
        "sent": 1180,
        "delivered": 1139,
        "failed": 41,
        "delivery_rate": 1139 / 1180,
        "by_reason": [{"reason": "mailbox_not_found", "count": 25}, {"reason": "unknown", "count": 2}],
    },
    "engagement": {
        "unique_opens": 412,
        "total_opens": 655,
        "open_rate": 412 / 1139,
        "open_ratio": "36.17%",
        "unique_clicks": 62,
        "total_clicks": 90,
        "click_rate": 62 / 1139,
        "click_ratio": HOSTILE,
        "click_to_open_rate": 62 / 412,
    },
    "links": [LINK] * 25,
    "devices": ROWS,
    "browsers": ROWS,
    "systems": ROWS,
    "countries": ROWS,
    "timeline": {"interval": "hour", "points": [{"at": AT, "first_opens": 118, "first_clicks": 21}]},
    "credits": 1139.5,
    "read_at": dict.fromkeys(("campaign", "statistics", "tracking", "failures", "opens"), AT),
    "errors": [{"part": "campaign", "code": "upstream_timeout"}],
    "differences": [
        {
            "figure": "sent",
            "values": [{"source": "statistics", "value": 1180}, {"source": "tracking", "value": 1183}],
            "difference": 3,
        }
    ],
}


class Read(HTMLParser):
    """Reads a page's elements and its text, and checks that all of them are closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "rect", "line"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "line"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(changes: Mapping[str, Any] = REPORT, *, language: str = "en") -> tuple[Read, str, Any]:
    report = CampaignReport.model_validate({**REPORT, **changes})
    scope = {"type": "http", "headers": [(b"accept-language", language.encode())]}
    response = report_page(report, 5500001, scope)
    content = bytes(response.body).decode()
    return Read(content), content, response.headers


def test_says_what_the_data_say() -> None:
    found, _, headers = page()
    assert headers["content-language"] == "en"
    for text in (
        "Campaign 5500001",
        "96.5% of 1,180 sent",
        "36.2% of 1,139 delivered",
        "the platform says 36.17%",
        "15.0% of 412 opened",
        "1,139.5",
        "Mailbox not found",
        "Statistics: 1,180, Tracking: 1,183",
        "and 5 more",
        "Could not be read, and is missing here: Campaign",
    ):
        assert text in found.text, text


def test_nothing_that_others_have_written_becomes_markup() -> None:
    found, content, headers = page()
    names = {tag for tag, _ in found.tags}
    assert names.isdisjoint({"script", "img", "link", "iframe", "form", "a", "base", "object"})
    attributes = {name for _, each in found.tags for name in each}
    assert not {name for name in attributes if name.startswith("on")} | attributes & {"href", "src", "style"}
    assert HOSTILE in found.text
    style = re.search(r"<style>(.*?)</style>", content, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none';")


def test_in_chinese_no_english_is_left() -> None:
    found, _, headers = page(language="zh-CN")
    assert headers["content-language"] == dict(found.tags[0][1])["lang"] == "zh-CN"
    chinese = catalogue("zh")
    for label in LABELS.values():
        assert label not in found.text or label == chinese.gettext(label)
    assert "送达 1,139 的 36.2%" in found.text


def test_bars_are_as_long_as_their_figures() -> None:
    found, _, _ = page()
    widths = [each["width"] for tag, each in found.tags if tag == "rect" and each.get("class") == "opens"]
    for part, whole in ((1200, 1200), (1180, 1200), (1139, 1200), (412, 1200), (62, 1200), (412, 432), (17, 432)):
        assert f"{100 * part / whole:.2f}" in widths


@pytest.mark.parametrize("missing", ["devices", "timeline", "links", "differences", "credits"])
def test_stands_without_any_of_its_parts(missing: str) -> None:
    found, _, _ = page({missing: [] if isinstance(REPORT[missing], list) else None})
    assert "36.2% of 1,139 delivered" in found.text


def test_stands_with_nothing_at_all() -> None:
    delivery = dict.fromkeys(REPORT["delivery"])
    engagement = dict.fromkeys(REPORT["engagement"])
    none = dict.fromkeys(("devices", "browsers", "systems", "countries", "timeline", "credits"))
    lists: dict[str, Any] = {"links": [], "differences": [], "errors": []}
    found, _, _ = page({"delivery": delivery, "engagement": engagement, **lists, **none})
    assert found.text.count("Nothing yet.") == 8
