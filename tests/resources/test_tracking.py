"""Tracking: counts that agree with each other, and the right campaign's recipients."""

from datetime import UTC
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.resources.tracking.operations import RECIPIENTS, location, rate
from app.sandbox import Fault, Sandbox
from app.sandbox.models import Campaign
from app.tenants.models import Scope
from app.upstream.document import Drift, UnexpectedForm
from tests.conftest import Clients
from tests.support.access import assert_needs
from tests.support.exports import read_export
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

PLACES = ["/v1/campaigns/1/tracking", "/v1/batches/1-2/tracking"]
DETAILS = ["", "/opens", "/clicks", "/links", "/recipients"]


@pytest.fixture
def seeded(clients: Clients) -> httpx2.AsyncClient:
    """The tenant whose account has campaigns."""
    return clients["seeded"]


@pytest.fixture
def campaigns(sandbox: Sandbox) -> list[Campaign]:
    """Campaigns that were sent and whose opens and clicks are tracked."""
    return [each for each in sandbox.state("seeded").campaigns.values() if each.started and each.links][::2]


@pytest.fixture
def campaign(campaigns: list[Campaign]) -> Campaign:
    return campaigns[0]


def places(campaign: Campaign) -> tuple[str, str]:
    """Return where a campaign's tracking is: by id and by batch."""
    return f"/v1/campaigns/{campaign.id}/tracking", f"/v1/batches/{campaign.ident}/tracking"


@pytest.mark.parametrize(
    "path", [*(place + detail for place in PLACES for detail in DETAILS), "/v1/tracking/1/recipients"]
)
async def test_access(path: str) -> None:
    await assert_needs(Scope.READ, "GET", path)


class TestOverview:
    async def test_by_id_and_by_batch(self, seeded: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
        for campaign in campaigns:
            found, same = [(await seeded.get(place)).json() for place in places(campaign)]
            assert found == same
            ids = (campaign.id, campaign.task_id, campaign.track_id, campaign.ident)
            assert (found["campaign_id"], found["statistics_id"], found["track_id"], found["batch"]) == ids
            assert found["delivered_count"] + found["failed_count"] == found["sent_count"]

    async def test_rates_come_from_the_counts(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        found = (await seeded.get(places(campaign)[0])).json()
        assert found["open_rate"] == found["unique_opens"] / found["delivered_count"] > 0
        assert found["click_rate"] == found["unique_clicks"] / found["delivered_count"] > 0
        assert found["open_ratio"] == f"{found['open_rate'] * 100:.2f}%"
        assert found["first_open_at"].endswith("+08:00")

    async def test_agrees_with_its_parts(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        place = places(campaign)[0]
        found = (await seeded.get(place)).json()
        opens, clicks, links = [
            (await seeded.get(place + part)).json()["data"] for part in ("/opens", "/clicks", "/links")
        ]
        assert len(opens) == found["unique_opens"]
        assert sum(each["total_opens"] for each in opens) == found["total_opens"]
        assert sum(each["total_clicks"] for each in clicks) == found["total_clicks"]
        assert {each["email"] for each in clicks} <= {each["email"] for each in opens}
        assert links == found["links"]
        assert [each["url"] for each in links] == list(campaign.links.values())

    async def test_before_it_has_been_sent(self, seeded: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        held = next(each for each in sandbox.state("seeded").campaigns.values() if each.started is None)
        for place in places(held):
            problem(await seeded.get(place), 404, "not_found")

    async def test_what_is_not_there(self, seeded: httpx2.AsyncClient, clients: Clients, campaign: Campaign) -> None:
        for wrong in (campaign.task_id, campaign.track_id, 4711):
            body = problem(await seeded.get(f"/v1/campaigns/{wrong}/tracking"), 404, "not_found")
            assert f"no tracking for campaign {wrong}" in body["detail"]
        problem(await seeded.get("/v1/batches/20200101000000-1-1/tracking"), 404, "not_found")
        problem(await clients["acme"].get(places(campaign)[0]), 404, "not_found")

    async def test_elements_of_a_later_version(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaign: Campaign
    ) -> None:
        expected = (await seeded.get(places(campaign)[0])).json()
        sandbox.misbehave(Fault("unknown_elements"))
        assert (await seeded.get(places(campaign)[0])).json() == expected


class TestDetails:
    async def test_by_id_and_by_batch(self, seeded: httpx2.AsyncClient, campaigns: list[Campaign]) -> None:
        for campaign in campaigns:
            by_id, by_batch = places(campaign)
            for detail in DETAILS[1:]:
                found = (await seeded.get(by_id + detail)).json()
                assert found == (await seeded.get(by_batch + detail)).json()
                assert found["data"]

    async def test_opens(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        opens = (await seeded.get(places(campaign)[0] + "/opens")).json()["data"]
        readers = {each.email_id: each for each in campaign.deliveries if each.opens}
        assert {each["email_id"] for each in opens} == set(readers)
        for each in opens:
            reader = readers[each["email_id"]].reader
            found = each["first_location"] or {}
            assert "|".join(part or "" for part in found.values()) == reader.place
            assert (each["os"], each["device"]) == (reader.os.strip() or None, reader.device)
            assert (each["last_open_at"] is None) == (each["total_opens"] == 1) == (each["last_ip"] is None)

    async def test_one_link(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        place = places(campaign)[1]
        for link_id, url in campaign.links.items():
            (link,) = (await seeded.get(f"{place}/links?link_id={link_id}")).json()["data"]
            clicks = (await seeded.get(f"{place}/clicks?link_id={link_id}")).json()["data"]
            assert (link["id"], link["url"], link["unique_clicks"]) == (link_id, url, len(clicks))
            assert {click["url"] for click in clicks} <= {url}

    @pytest.mark.parametrize("detail", ["/opens", "/clicks", "/links"])
    async def test_nothing(self, client: httpx2.AsyncClient, detail: str) -> None:
        for place in PLACES:
            response = await client.get(place + detail)
            assert (response.status_code, response.json()) == (200, {"data": []})


class TestRecipients:
    async def test_finds_the_tracking_with_one_more_call(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaigns: list[Campaign]
    ) -> None:
        for campaign in campaigns:
            opened = [{"email": each.email} for each in campaign.deliveries if each.opens]
            for place in places(campaign):
                assert (await seeded.get(f"{place}/recipients")).json() == {"data": opened}
            assert (await seeded.get(f"/v1/tracking/{campaign.track_id}/recipients")).json() == {"data": opened}
        called = [call.operation for call in sandbox.calls]
        assert called == ["overview", "trackexport", "overview", "trackexport", "trackexport"] * len(campaigns)

    async def test_filters(self, seeded: httpx2.AsyncClient, campaign: Campaign) -> None:
        path = f"/v1/tracking/{campaign.track_id}/recipients"
        clicked = [each for each in campaign.deliveries if each.clicks]
        found = (await seeded.get(path, params={"clicked": "true"})).json()["data"]
        assert found == [{"email": each.email} for each in clicked]
        link_id = next(iter(campaign.links))
        by_link = (await seeded.get(path, params={"link_id": link_id})).json()["data"]
        assert by_link == [
            {"email": each.email} for each in clicked if any(click.link_id == link_id for click in each.clicks)
        ]
        one = (await seeded.get(path, params={"email_id": clicked[0].email_id})).json()["data"]
        assert one == [{"email": clicked[0].email}]

    async def test_other_ids_are_not_the_trackings(
        self, seeded: httpx2.AsyncClient, sandbox: Sandbox, campaign: Campaign
    ) -> None:
        for wrong in (campaign.id, campaign.task_id):
            assert (await seeded.get(f"/v1/tracking/{wrong}/recipients")).json() == {"data": []}
        sandbox_calls = len(sandbox.calls)
        problem(await seeded.get(f"/v1/campaigns/{campaign.track_id}/tracking/recipients"), 404, "not_found")
        assert [call.operation for call in sandbox.calls[sandbox_calls:]] == ["overview"]


class TestRefusals:
    @pytest.mark.parametrize("detail", DETAILS)
    async def test_ids(self, offline: httpx2.AsyncClient, detail: str) -> None:
        for bad in ("0", "-1", "x", "9" * 20):
            assert refused_fields(await offline.get(f"/v1/campaigns/{bad}/tracking{detail}")) == {"campaign_id"}
        for bad in ("a b", "a;b", "x" * 65):
            assert refused_fields(await offline.get(f"/v1/batches/{bad}/tracking{detail}")) == {"batch"}

    @pytest.mark.parametrize(
        ("path", "parameter"),
        [
            ("/v1/campaigns/1/tracking?link_id=1", "link_id"),
            ("/v1/campaigns/1/tracking/opens?link_id=1", "link_id"),
            ("/v1/campaigns/1/tracking/clicks?link_id=0", "link_id"),
            ("/v1/batches/1-2/tracking/links?link_id=x", "link_id"),
            ("/v1/batches/1-2/tracking/clicks?link_id=1&link_id=2", "link_id"),
            ("/v1/campaigns/1/tracking/recipients?clicked=maybe", "clicked"),
            ("/v1/campaigns/1/tracking/recipients?email_id=0", "email_id"),
            ("/v1/campaigns/1/tracking/recipients?is_click=1", "is_click"),
            ("/v1/tracking/1/recipients?link_id=-1", "link_id"),
            ("/v1/tracking/0/recipients", "track_id"),
            ("/v1/tracking/x/recipients", "track_id"),
        ],
    )
    async def test_parameters(self, offline: httpx2.AsyncClient, path: str, parameter: str) -> None:
        assert refused_fields(await offline.get(path)) == {parameter}


counts = st.none() | st.integers(-(10**18), 10**18)


@given(unique=counts, delivered=counts)
def test_a_rate_is_a_fraction_or_unknown(unique: int | None, delivered: int | None) -> None:
    found = rate(unique, delivered)
    if unique is None or delivered is None or delivered <= 0:
        assert found is None
    else:
        assert found is not None
        assert 0 <= found <= 1
        if 0 <= unique <= delivered:
            assert found == unique / delivered


parts = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|"), max_size=8).map(str.strip)


@given(continent=parts, country=parts, place=parts)
def test_a_location_keeps_its_parts_in_their_places(continent: str, country: str, place: str) -> None:
    found = location(f"{continent}|{country}|{place}", UTC)
    if not (continent or country or place):
        assert found is None
    else:
        assert found is not None
        assert found.model_dump() == {
            "continent": continent or None,
            "country": country or None,
            "place": place or None,
        }


emails = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_.-]{1,8}@[a-z]{1,5}\.example", fullmatch=True)


class TestRecipientsForms:
    @pytest.mark.parametrize(
        ("reply", "addresses"),
        [
            ("", []),
            ("\r\n \r\n", []),
            ("a@example.com", ["a@example.com"]),
            ("a@example.com \tA\t3\r\n b@example.com\r\n", ["a@example.com", "b@example.com"]),
            ("<data/>", []),
            (
                "<data><user><email>a@example.com</email><name>b@example.com</name></user></data>",
                ["a@example.com"],
            ),
            ("<l><i><email id='1'>a@example.com</email></i><i><email/></i></l>", ["a@example.com"]),
            (
                "<l><email>b@example.com</email><email>a@example.com</email></l>",
                ["b@example.com", "a@example.com"],
            ),
            (
                "<l><i><email>b@example.com</email><email>a@example.com</email></i></l>",
                ["b@example.com", "a@example.com"],
            ),
        ],
    )
    def test_reads(self, reply: str, addresses: list[str]) -> None:
        assert recipients(reply) == ([{"email": address} for address in addresses], set())

    def test_passes_over_a_heading(self) -> None:
        assert recipients("邮件地址\r\na@example.com\r\n") == ([{"email": "a@example.com"}], set())

    @pytest.mark.parametrize(
        "reply",
        [
            "没有权限",
            "a@example.com\n没有权限",
            "error: user@host login failed",
            '["a@example.com"]',
            "a@example.com,b@example.com",
            "<data><message>没有权限</message></data>",
            "<data>没有权限</data>",
            "<result><status>success</status></result>",
        ],
    )
    def test_refuses_what_holds_no_address(self, reply: str) -> None:
        with pytest.raises(UnexpectedForm):
            recipients(reply)

    @given(st.lists(emails, max_size=10), st.sampled_from(["\n", "\r\n", "\n\n", "\t姓名\r\n"]))
    def test_any_addresses(self, addresses: list[str], end: str) -> None:
        rows, _ = recipients("".join(email + end for email in addresses))
        assert [row["email"] for row in rows] == addresses


def recipients(reply: str) -> tuple[list[dict[str, Any]], set[Drift]]:
    return read_export(RECIPIENTS.source, reply.encode())


@pytest.mark.parametrize("path", ["/v1/campaigns/3/tracking", "/v1/campaigns/3/tracking/recipients"])
async def test_the_overview_of_another_campaign_is_not_passed_off_as_this_one(path: str) -> None:
    reply = "<track><track_id>7</track_id><task_id>8</task_id><send_id>999</send_id></track>"
    platform = FakePlatform([xml_reply(reply)])
    async with client_of(make_app([make_tenant()], platform.transport)) as client:
        problem(await client.get(path), 502, "upstream_malformed")
    assert len(platform.requests) == 1
