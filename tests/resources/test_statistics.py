"""Statistics, from the platform's counts to JSON."""

import httpx2
import pytest

from app.sandbox import Sandbox
from app.sandbox.delivery import UNDOCUMENTED
from app.sandbox.models import Campaign
from app.tenants.models import Scope
from tests.conftest import Clients
from tests.support.access import assert_needs
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

BAD_DAYS = ["2026-3-2", "20260302", "2026-02-30", "2026-03-02T00:00:00", "today", "1772409600", "２０２６-03-02"]
BAD_BATCHES = ["a b", "a_b", "a;b", "-1", "x" * 65, "批次"]


@pytest.fixture
def seeded(clients: Clients) -> httpx2.AsyncClient:
    """The tenant whose account has campaigns."""
    return clients["seeded"]


@pytest.fixture
def campaign(sandbox: Sandbox) -> Campaign:
    """A finished campaign."""
    return next(iter(sandbox.state("seeded").campaigns.values()))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/statistics/daily/2026-03-02",
        "/v1/statistics/campaigns?date=2026-03-02",
        "/v1/campaigns/1/statistics",
        "/v1/batches/1-2-3/statistics",
        "/v1/statistics/credits?date=2026-03-02",
    ],
)
async def test_access(path: str) -> None:
    await assert_needs(Scope.READ, "GET", path)


class TestCampaign:
    async def test_by_id_and_by_batch(self, seeded: httpx2.AsyncClient, campaign: Campaign, sandbox: Sandbox) -> None:
        by_id = await seeded.get(f"/v1/campaigns/{campaign.id}/statistics")
        by_batch = await seeded.get(f"/v1/batches/{campaign.ident}/statistics")
        assert by_id.json() == {**by_batch.json(), "campaign_id": campaign.id}
        found = by_id.json()
        assert (found["statistics_id"], found["batch"]) == (campaign.task_id, campaign.ident)
        # The platform names no number for failures of its undocumented type.
        unnamed = sum(each.outcome == UNDOCUMENTED for each in campaign.deliveries)
        assert found["expected_count"] == len(campaign.deliveries)
        assert found["expected_count"] == found["sent_count"] + found["invalid_count"] + unnamed
        assert found["delivered_count"] + found["failed_count"] == found["sent_count"] > 0
        assert found["credits"] == found["delivered_count"]
        assert [call.query for call in sandbox.calls] == [{"id": str(campaign.id)}, {"ident": campaign.ident}]

    async def test_other_ids_are_not_the_campaigns(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        for wrong in (campaign.task_id, campaign.track_id):
            body = problem(await seeded.get(f"/v1/campaigns/{wrong}/statistics"), 404, "not_found")
            assert str(wrong) in body["detail"]

    async def test_before_it_has_been_sent(self, seeded: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        held = next(each for each in sandbox.state("seeded").campaigns.values() if each.started is None)
        for path in (f"/v1/campaigns/{held.id}", f"/v1/batches/{held.ident}"):
            problem(await seeded.get(f"{path}/statistics"), 404, "not_found")

    async def test_another_tenants(self, clients: Clients, campaign: Campaign) -> None:
        problem(await clients["acme"].get(f"/v1/campaigns/{campaign.id}/statistics"), 404, "not_found")

    @pytest.mark.parametrize("campaign_id", ["0", "-1", "x", "1.5", "9" * 20])
    async def test_refuses_ids(self, offline: httpx2.AsyncClient, campaign_id: str) -> None:
        assert refused_fields(await offline.get(f"/v1/campaigns/{campaign_id}/statistics")) == {"campaign_id"}

    @pytest.mark.parametrize("batch", BAD_BATCHES)
    async def test_refuses_batches(self, offline: httpx2.AsyncClient, batch: str) -> None:
        assert refused_fields(await offline.get(f"/v1/batches/{batch}/statistics")) == {"batch"}


class TestDay:
    async def test_agrees_with_its_campaigns_and_its_cost(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        one = (await seeded.get(f"/v1/campaigns/{campaign.id}/statistics")).json()
        day = one["date"]
        daily = (await seeded.get(f"/v1/statistics/daily/{day}")).json()
        campaigns = (await seeded.get("/v1/statistics/campaigns", params={"date": day})).json()["data"]
        (cost,) = (await seeded.get("/v1/statistics/credits", params={"date": day})).json()["data"]
        assert campaigns == [one]
        assert daily["date"] == cost["date"] == day
        assert daily["web_task_count"] == 1
        unnamed = sum(each.outcome == UNDOCUMENTED for each in campaign.deliveries)
        assert daily["actual_send_count"] == daily["web_sent_count"] == cost["send_count"]
        assert daily["actual_send_count"] == one["sent_count"] + unnamed
        assert daily["failed_count"] == daily["web_failed_count"] == one["failed_count"] + unnamed
        assert daily["invalid_address_count"] + daily["format_error_count"] == one["invalid_count"]
        assert daily["estimated_send_count"] == daily["estimated_credits"] == one["expected_count"]
        assert daily["actual_credits"] == cost["total"] == one["credits"]
        assert cost["deduction_type"] == "web群发"

    async def test_without_campaigns(self, client: httpx2.AsyncClient) -> None:
        daily = (await client.get("/v1/statistics/daily/2020-01-01")).json()
        assert daily.pop("date") == "2020-01-01"
        assert set(daily.values()) == {0}
        for path in ("/v1/statistics/campaigns", "/v1/statistics/credits"):
            response = await client.get(path, params={"date": "2020-01-01"})
            assert (response.status_code, response.json()) == (200, {"data": []})

    @pytest.mark.parametrize("day", BAD_DAYS)
    async def test_refuses_days(self, offline: httpx2.AsyncClient, day: str) -> None:
        assert refused_fields(await offline.get(f"/v1/statistics/daily/{day}")) == {"date"}
        for path in ("/v1/statistics/campaigns", "/v1/statistics/credits"):
            assert refused_fields(await offline.get(path, params={"date": day})) == {"date"}

    @pytest.mark.parametrize("path", ["/v1/statistics/campaigns", "/v1/statistics/credits"])
    async def test_needs_a_day(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.get(path)) == {"date"}
        assert refused_fields(await offline.get(f"{path}?date=2026-03-02&batch=1")) == {"batch"}
        assert refused_fields(await offline.get(f"{path}?date=2026-03-02&date=2026-03-03")) == {"date"}


async def test_an_empty_entry_is_no_campaign() -> None:
    platform = FakePlatform([xml_reply("<data><task/><task><task_id>0</task_id></task></data>")])
    async with client_of(make_app([make_tenant()], platform.transport)) as client:
        problem(await client.get("/v1/campaigns/4711/statistics"), 404, "not_found")
