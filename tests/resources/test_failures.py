"""Delivery failures: which are asked for, and whose they are."""

from collections import Counter
from datetime import date
from urllib.parse import urlencode

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.resources.statistics import failures
from app.resources.statistics.failures import FindFailures
from app.resources.statistics.schemas import WantedReason
from app.sandbox import Sandbox
from app.sandbox.models import Campaign
from app.tenants.models import Scope
from tests.conftest import Clients
from tests.support.access import assert_needs
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

PATH = "/v1/delivery-failures"
ADDRESSES = f"{PATH}/addresses"
REASONS = {
    "mailbox_not_found": 1,
    "mailbox_full": 2,
    "recipient_rejected": 3,
    "spam_rejected": 5,
    "invalid_address": 8,
    "format_error": 9,
}
ANY_CAMPAIGN = {"campaign_id", "batch", "statistics_id"}
EMPTY = "<fail_recipient_list></fail_recipient_list>"


@pytest.fixture
def seeded(clients: Clients) -> httpx2.AsyncClient:
    """The tenant whose account has campaigns."""
    return clients["seeded"]


@pytest.fixture
def campaigns(sandbox: Sandbox) -> list[Campaign]:
    """The campaigns that were sent."""
    return [each for each in sandbox.state("seeded").campaigns.values() if each.started]


def failed(campaign: Campaign, *codes: int) -> list[str]:
    """Return the addresses the sandbox failed to deliver to."""
    return [each.email for each in campaign.deliveries if each.outcome and (not codes or each.outcome in codes)]


def day_of(campaign: Campaign) -> str:
    assert campaign.started is not None
    return campaign.started.date().isoformat()


@pytest.mark.parametrize("path", [f"{PATH}?date=2026-03-02", f"{ADDRESSES}?date=2026-03-02"])
async def test_access(path: str) -> None:
    await assert_needs(Scope.READ, "GET", path)


class TestIds:
    async def test_a_campaign_by_each_of_its_names(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaigns: list[Campaign]
    ) -> None:
        for campaign in campaigns:
            assert len({campaign.id, campaign.task_id, campaign.track_id}) == 3
            answers = [
                (await seeded.get(PATH, params={name: value})).json()["data"]
                for name, value in (
                    ("campaign_id", campaign.id),
                    ("batch", campaign.ident),
                    ("statistics_id", campaign.task_id),
                )
            ]
            assert answers[0] == answers[1] == answers[2]
            assert [each["email"] for each in answers[0]] == failed(campaign)
            assert {each["statistics_id"] for each in answers[0]} == {campaign.task_id}
        operations_called = [call.operation for call in sandbox.calls]
        assert operations_called == ["overview", *["failexportall"] * 3] * len(campaigns)

    async def test_addresses_of_a_campaign(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaigns: list[Campaign]
    ) -> None:
        campaign = campaigns[0]
        params = {"date": day_of(campaign), "campaign_id": str(campaign.id), "reason": "mailbox_not_found"}
        response = await seeded.get(ADDRESSES, params=params)
        assert response.json() == {"data": [{"email": email} for email in failed(campaign, 1)]}
        assert [call.operation for call in sandbox.calls] == ["overview", "failexport"]
        assert sandbox.calls[-1].query["task_id"] == str(campaign.task_id)

    async def test_other_ids_are_not_the_campaigns(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaigns: list[Campaign]
    ) -> None:
        for wrong in (campaigns[0].task_id, campaigns[0].track_id):
            body = problem(await seeded.get(PATH, params={"campaign_id": wrong}), 404, "not_found")
            assert f"campaign {wrong}" in body["detail"]
        assert {call.operation for call in sandbox.calls} == {"overview"}
        assert (await seeded.get(PATH, params={"statistics_id": campaigns[0].id})).json() == {"data": []}

    async def test_another_tenants_campaign(self, clients: Clients, campaigns: list[Campaign]) -> None:
        problem(await clients["acme"].get(PATH, params={"campaign_id": campaigns[0].id}), 404, "not_found")


class TestSelection:
    async def test_reasons(self, seeded: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
        campaign = campaigns[0]
        everything = (await seeded.get(PATH, params={"batch": campaign.ident})).json()["data"]
        codes = {each["reason"]: each["reason_code"] for each in everything}
        assert codes.pop("unknown") == 4
        assert codes.items() <= REASONS.items()
        for reason, code in REASONS.items():
            found = (await seeded.get(PATH, params={"batch": campaign.ident, "reason": reason})).json()["data"]
            assert [each["email"] for each in found] == failed(campaign, code)
            assert {(each["reason"], each["reason_code"]) for each in found} <= {(reason, code)}

    async def test_days(self, seeded: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
        # The oldest is months away, and a range is asked for day by day.
        _, first, *_, last = campaigns
        one_day = (await seeded.get(PATH, params={"date": day_of(first)})).json()["data"]
        assert {each["statistics_id"] for each in one_day} == {first.task_id}
        days = {"date": day_of(first), "date_end": day_of(last)}
        all_days = (await seeded.get(PATH, params=days)).json()["data"]
        assert Counter(each["statistics_id"] for each in all_days) == {
            campaign.task_id: len(failed(campaign)) for campaign in campaigns[1:]
        }
        addresses = (await seeded.get(ADDRESSES, params=days)).json()["data"]
        assert addresses == [{"email": each["email"]} for each in all_days]

    async def test_none(self, client: httpx2.AsyncClient) -> None:
        for path in (PATH, ADDRESSES):
            response = await client.get(path, params={"date": "2020-01-01"})
            assert (response.status_code, response.json()) == (200, {"data": []})

    @pytest.mark.parametrize(
        ("query", "parameters"),
        [
            ("", {"date", *ANY_CAMPAIGN}),
            ("reason=mailbox_full", ANY_CAMPAIGN),
            ("reason=mailbox_full&date=2026-03-02", ANY_CAMPAIGN),
            ("date=2026-03-02&date_end=2026-04-02", {"date_end"}),
            ("date_end=2026-03-02", {"date"}),
            ("date_end=2026-03-02&batch=1-2", {"date"}),
            ("date=2026-03-02&date_end=2026-03-01", {"date_end"}),
            ("date=2026-3-2", {"date"}),
            ("date=2026-03-02&date_end=x", {"date_end"}),
            ("date=", {"date"}),
            ("campaign_id=1&batch=1-2", {"campaign_id", "batch"}),
            ("batch=1-2&statistics_id=3", {"batch", "statistics_id"}),
            ("campaign_id=1&batch=1-2&statistics_id=3", ANY_CAMPAIGN),
            ("date=2026-03-02&date_end=2026-03-01&campaign_id=1&batch=1-2", {"date_end", "campaign_id", "batch"}),
            ("campaign_id=0", {"campaign_id"}),
            ("statistics_id=-1", {"statistics_id"}),
            ("statistics_id=x", {"statistics_id"}),
            ("batch=", {"batch"}),
            ("batch=a%2Cb", {"batch"}),
            ("batch=a%0A", {"batch"}),
            ("date=2026-03-02&reason=1", {"reason"}),
            ("date=2026-03-02&reason=unknown", {"reason"}),
            ("date=2026-03-02&type=1", {"type"}),
            ("date=2026-03-02&date=2026-03-03", {"date"}),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, query: str, parameters: set[str]) -> None:
        assert refused_fields(await offline.get(f"{PATH}?{query}")) == parameters


class TestAddressSelection:
    @pytest.mark.parametrize(
        ("query", "parameters"),
        [
            ("", {"date"}),
            ("campaign_id=1", {"date"}),
            ("batch=1-2&reason=mailbox_full", {"date"}),
            ("date_end=2026-03-02", {"date"}),
            *((f"date=2026-03-02&reason={reason}", ANY_CAMPAIGN) for reason in list(REASONS)[:3]),
            ("date=2026-03-02&campaign_id=1&statistics_id=2", {"campaign_id", "statistics_id"}),
            ("date=2026-03-02&date_end=2026-03-01", {"date_end"}),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, query: str, parameters: set[str]) -> None:
        assert refused_fields(await offline.get(f"{ADDRESSES}?{query}")) == parameters

    @pytest.mark.parametrize("reason", ["all", "spam_rejected", "invalid_address", "format_error"])
    async def test_other_reasons_need_no_campaign(self, reason: str) -> None:
        platform = FakePlatform([xml_reply(EMPTY)])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            response = await client.get(f"{ADDRESSES}?{urlencode({'date': '2026-03-02', 'reason': reason})}")
        assert response.json() == {"data": []}
        assert len(platform.requests) == 1


@given(
    reason=st.sampled_from(["all", *REASONS]),
    batch=st.none() | st.just("1-2"),
    statistics_id=st.none() | st.integers(1),
    first=st.none() | st.dates(),
    last=st.none() | st.dates(),
)
def test_only_what_is_given_is_sent(
    reason: WantedReason, batch: str | None, statistics_id: int | None, first: date | None, last: date | None
) -> None:
    query = failures.FIND_FAILURES.encode(FindFailures(first, last, reason, batch, statistics_id)).query
    assert query["type"] == str(REASONS.get(reason, -1))
    assert query["out_type"] == "xml"
    optional = {"date": first, "date_end": last, "task_ident": batch, "task_id": statistics_id}
    given_values = {name: str(value) for name, value in optional.items() if value is not None}
    assert {name: query[name] for name in query.keys() - {"type", "out_type"}} == given_values
