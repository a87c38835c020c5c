"""Reports: every figure as the platform's own state has it, whatever part of it cannot be read."""

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.sandbox import Account, Fault, Sandbox
from app.sandbox.models import Campaign, MailDelivery
from app.tenants.models import Scope
from tests.support.access import assert_needs
from tests.support.misbehaving import client_for, tenant_of
from tests.support.problems import problem, refused_fields
from tests.support.running import make_app

ACCOUNT = Account(username="acme", password="acme-password", role="customer", seeded=True)
CLASSES = {1: "mailbox_not_found", 2: "mailbox_full", 3: "recipient_rejected", 4: "unknown", 5: "spam_rejected"}
REASONS = {**CLASSES, 8: "invalid_address", 9: "format_error"}
PARTS = {"statistics": "stask", "tracking": "overview", "failures": "failexportall", "opens": "open-detail"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=[ACCOUNT]) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(platform: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app([tenant_of(ACCOUNT, platform.base_url)])
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        yield client


@pytest.fixture
def campaigns(platform: Sandbox) -> list[Campaign]:
    return [each for each in platform.state("acme").campaigns.values() if each.started and each.deliveries]


def happened(moments: tuple[datetime, ...]) -> list[datetime]:
    return [moment for moment in moments if moment <= datetime.now(UTC)]


def clicks_of(delivery: MailDelivery) -> list[datetime]:
    return [moment for click in delivery.clicks for moment in happened(click.times)]


def top(names: list[str]) -> dict[str, Any]:
    counts = Counter(name.strip() or None for name in names)
    return {"top": counts, "other": 0}


def counted(breakdown: dict[str, Any]) -> dict[str, Any]:
    return {**breakdown, "top": {row["name"]: row["recipients"] for row in breakdown["top"]}}


async def test_every_figure_is_that_of_the_platform(gateway: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
    for campaign in campaigns:
        report = (await gateway.get(f"/v1/campaigns/{campaign.id}/report")).json()
        outcomes = Counter(each.outcome for each in campaign.deliveries)
        failed = sum(outcomes[each] for each in CLASSES)
        delivery = report["delivery"]
        assert delivery["expected"] == len(campaign.deliveries)
        assert delivery["delivered"] == outcomes[0]
        # The statistics know nothing of failures of the undocumented kind.
        assert delivery["sent"] == outcomes[0] + failed - outcomes[4]
        assert delivery["failed"] == failed - outcomes[4]
        assert delivery["delivery_rate"] == delivery["delivered"] / delivery["sent"]
        reasons = {each["reason"]: each["count"] for each in delivery["by_reason"]}
        assert reasons == {REASONS[kind]: count for kind, count in outcomes.items() if kind}
        assert report["credits"] == outcomes[0]

        openers = [each for each in campaign.deliveries if happened(each.opens)]
        clickers = [each for each in openers if clicks_of(each)]
        engagement = report["engagement"]
        assert engagement["unique_opens"] == len(openers)
        assert engagement["total_opens"] == sum(len(happened(each.opens)) for each in openers)
        assert engagement["unique_clicks"] == len(clickers)
        assert engagement["total_clicks"] == sum(len(clicks_of(each)) for each in clickers)
        assert engagement["open_rate"] == len(openers) / outcomes[0]
        assert engagement["click_rate"] == len(clickers) / outcomes[0]
        assert engagement["click_to_open_rate"] == len(clickers) / len(openers)
        assert engagement["open_ratio"] == f"{100 * engagement['open_rate']:.2f}%"

        readers = [each.reader for each in openers]
        assert counted(report["devices"]) == top([each.device for each in readers])
        assert counted(report["browsers"]) == top([each.browser for each in readers])
        assert counted(report["systems"]) == top([each.os for each in readers])
        assert counted(report["countries"]) == top([[*each.place.split("|"), ""][1] for each in readers])

        links = {
            url: sum(len(happened(c.times)) for each in openers for c in each.clicks if c.link_id == link)
            for link, url in campaign.links.items()
        }
        assert {each["url"]: each["total_clicks"] for each in report["links"]} == links
        assert [each["unique_clicks"] for each in report["links"]] == sorted(
            (each["unique_clicks"] for each in report["links"]), reverse=True
        )
        assert (report["errors"], report["campaign"]["id"]) == ([], campaign.id)


async def test_the_timeline_has_every_first_open_and_click(
    gateway: httpx2.AsyncClient, campaigns: list[Campaign]
) -> None:
    zone = timedelta(hours=8)
    for campaign in campaigns:
        for interval, form in (("hour", "%Y-%m-%dT%H:00:00+08:00"), ("day", "%Y-%m-%dT00:00:00+08:00")):
            answer = await gateway.get(f"/v1/campaigns/{campaign.id}/tracking/timeline?interval={interval}")
            found = answer.json()
            opens = Counter(
                (min(moments).astimezone(UTC) + zone).strftime(form)
                for each in campaign.deliveries
                if (moments := happened(each.opens))
            )
            clicks = Counter(
                (min(moments).astimezone(UTC) + zone).strftime(form)
                for each in campaign.deliveries
                if (moments := clicks_of(each))
            )
            assert found["interval"] == interval
            assert [point["at"] for point in found["points"]] == sorted({*opens, *clicks})
            for point in found["points"]:
                assert (point["first_opens"], point["first_clicks"]) == (opens[point["at"]], clicks[point["at"]])


async def test_opens_are_counted_once_for_report_and_timeline(platform: Sandbox, campaigns: list[Campaign]) -> None:
    app = make_app([tenant_of(ACCOUNT, platform.base_url)], cache_lifetimes={})
    async with app.router.lifespan_context(app), client_for(app, "acme") as client:
        calls = len(platform.calls)
        for path in ("report", "tracking/timeline?interval=day", "tracking/timeline", "report"):
            answer = await client.get(f"/v1/campaigns/{campaigns[0].id}/{path}")
            assert answer.status_code == 200
        asked = [call.operation for call in platform.calls[calls:]]
        assert sorted(asked) == sorted(["task-list", *PARTS.values()])
        # The campaign is months old: new opens are few.
        timeline = await client.get(f"/v1/campaigns/{campaigns[0].id}/tracking/timeline")
        assert "max-age=600" in timeline.headers["cache-control"]
        tag = timeline.headers["etag"]
        again = await client.get(f"/v1/campaigns/{campaigns[0].id}/tracking/timeline", headers={"If-None-Match": tag})
        assert again.status_code == 304


async def test_names_what_the_platforms_sources_disagree_about(
    gateway: httpx2.AsyncClient, campaigns: list[Campaign]
) -> None:
    seen = 0
    for campaign in campaigns:
        undocumented = sum(each.outcome == 4 for each in campaign.deliveries)
        report = (await gateway.get(f"/v1/campaigns/{campaign.id}/report")).json()
        differences = {each["figure"]: each for each in report["differences"]}
        assert set(differences) == ({"sent", "failed"} if undocumented else set())
        for each in differences.values():
            values = {value["source"]: value["value"] for value in each["values"]}
            assert each["difference"] == undocumented == values["tracking"] - values["statistics"]
            seen += 1
    assert seen


async def test_a_part_that_fails_is_named_and_the_rest_stands(
    gateway: httpx2.AsyncClient, platform: Sandbox, campaigns: list[Campaign]
) -> None:
    path = f"/v1/campaigns/{campaigns[0].id}/report"
    whole = (await gateway.get(path)).json()
    for part, operation in PARTS.items():
        platform.misbehave(Fault("status", operation=operation, status=500))
        report = (await gateway.get(path)).json()
        assert report["errors"] == [{"part": part, "code": "upstream_error"}]
        assert report["read_at"][part] is None
        assert report["delivery"]["delivered"] == whole["delivery"]["delivered"]
        assert report["engagement"]["unique_opens"] == whole["engagement"]["unique_opens"]
        assert (report["timeline"] is None) == (part == "opens")
        assert (report["delivery"]["by_reason"] is None) == (part == "failures")
        assert (report["credits"] is None) == (part == "statistics")
        assert (report["links"] == []) == (part == "tracking")
    platform.misbehave(Fault("status", operation="task-list", status=500))
    report = (await gateway.get(path)).json()
    assert report["errors"] == [{"part": "campaign", "code": "upstream_error"}]
    assert {**report, **dict.fromkeys(("campaign", "errors", "read_at", "differences"))} == {
        **whole,
        **dict.fromkeys(("campaign", "errors", "read_at", "differences")),
    }


async def test_an_export_that_breaks_off_gives_no_figures(
    gateway: httpx2.AsyncClient, platform: Sandbox, campaigns: list[Campaign]
) -> None:
    for part, operation in (("failures", "failexportall"), ("opens", "open-detail")):
        platform.misbehave(Fault("truncate", operation=operation))
        report = (await gateway.get(f"/v1/campaigns/{campaigns[0].id}/report")).json()
        assert [each["part"] for each in report["errors"]] == [part]
    platform.misbehave(Fault("truncate", operation="open-detail"))
    answer = await gateway.get(f"/v1/campaigns/{campaigns[0].id}/tracking/timeline")
    assert answer.status_code >= 500


async def test_what_is_not_there(gateway: httpx2.AsyncClient, platform: Sandbox) -> None:
    problem(await gateway.get("/v1/campaigns/4711/report"), 404, "not_found")
    platform.misbehave(Fault("status", status=500, times=None))
    problem(await gateway.get("/v1/campaigns/4711/report"), 502, "upstream_error")
    platform.clear_faults()
    held = next(each for each in platform.state("acme").campaigns.values() if each.started is None)
    report = (await gateway.get(f"/v1/campaigns/{held.id}/report")).json()
    assert (report["delivery"]["delivered"], report["engagement"]["open_rate"], report["errors"]) == (None, None, [])
    assert report["read_at"]["statistics"] is report["read_at"]["tracking"] is None


async def test_as_a_table(gateway: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
    path = f"/v1/campaigns/{campaigns[0].id}/report"
    report = (await gateway.get(path)).json()
    answer = await gateway.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"campaign-{campaigns[0].id}-report.csv" in answer.headers["content-disposition"]
    heading, *lines = csv.reader(io.StringIO(answer.text))
    assert heading == ["table", "item", "figure", "value"]
    found = {tuple(line[:3]): line[3] for line in lines}
    assert found["delivery", "", "delivered"] == str(report["delivery"]["delivered"])
    for link in report["links"]:
        assert found["links", link["url"], "unique_clicks"] == str(link["unique_clicks"])
    for point in report["timeline"]["points"]:
        assert found["timeline", point["at"], "first_opens"] == str(point["first_opens"])


async def test_access_and_refusals(gateway: httpx2.AsyncClient) -> None:
    for path in ("/v1/campaigns/1/report", "/v1/campaigns/1/tracking/timeline"):
        await assert_needs(Scope.READ, "GET", path)
        assert refused_fields(await gateway.get(path.replace("/1/", "/0/"))) == {"campaign_id"}
    assert refused_fields(await gateway.get("/v1/campaigns/1/tracking/timeline?interval=week")) == {"interval"}
    problem(await gateway.get("/v1/campaigns/1/report", headers={"Accept": "image/png"}), 406, "not_acceptable")
