"""Sends: campaigns as the sending statistics list them."""

import httpx2
import pytest

from tests.conftest import Clients
from tests.support.problems import problem, refused_fields


class TestList:
    async def test_without_a_key(self, offline: httpx2.AsyncClient) -> None:
        del offline.headers["Authorization"]
        problem(await offline.get("/v1/sends?campaign_id=1"), 401, "unauthenticated")

    async def test_by_day_batch_and_campaign(self, clients: Clients) -> None:
        client = clients["seeded"]
        campaign = (await client.get("/v1/campaigns?status=sent")).json()["data"][0]
        (send,) = (await client.get("/v1/sends", params={"campaign_id": campaign["id"]})).json()["data"]
        shared = campaign.keys() & send.keys()
        assert {name: send[name] for name in shared} == {name: campaign[name] for name in shared}
        assert {"id": send["template_id"], "name": send["template_name"]} == campaign["templates"][0]
        assert {"id": send["list_id"], "name": send["list_name"]} == campaign["lists"][0]
        assert (await client.get("/v1/sends", params={"batch": send["batch"]})).json() == {"data": [send]}
        assert (await client.get("/v1/sends", params={"date": send["started_at"][:10]})).json() == {"data": [send]}

    async def test_by_status(self, clients: Clients) -> None:
        client = clients["seeded"]
        campaign_id = (await client.get("/v1/campaigns?status=held")).json()["data"][0]["id"]
        for status, count in ((-1, 1), (3, 0), (-5, 0), (4, 0)):
            response = await client.get("/v1/sends", params={"campaign_id": campaign_id, "status": status})
            assert len(response.json()["data"]) == count

    @pytest.mark.parametrize(
        ("query", "parameters"),
        [
            ("", {"date", "batch", "campaign_id"}),
            ("status=3", {"date", "batch", "campaign_id"}),
            ("date=2026-03-01&campaign_id=5", {"date", "campaign_id"}),
            ("date=2026-03-01&batch=20260301-1-1&campaign_id=5", {"date", "batch", "campaign_id"}),
            ("campaign_id=5&status=5", {"status"}),
            ("campaign_id=5&status=-6", {"status"}),
            ("campaign_id=5&status=sent", {"status"}),
            ("campaign_id=0", {"campaign_id"}),
            ("date=01.03.2026", {"date"}),
            ("batch=", {"batch"}),
            ("batch=1%0A2", {"batch"}),
            ("campaign_id=5&page=1", {"page"}),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, query: str, parameters: set[str]) -> None:
        assert refused_fields(await offline.get(f"/v1/sends?{query}")) == parameters
