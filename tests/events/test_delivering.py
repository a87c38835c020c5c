"""Deliveries to receivers that work, fail, hang, and to those that are none."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from app.events.delivering import Deliverer
from app.events.sender import WebhookSender
from app.gateway.clock import PlatformClock
from app.services import Services
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.events.log import NewEvent, appending
from app.tenants.destinations import ListedDestinations, PublicDestinations
from app.tenants.vault import MasterKeys, Vault, generate_master_key
from app.upstream.transport import GuardedTransport, TransportForLibrary
from tests.support.problems import problem, refused_fields
from tests.support.receivers import ReceivedDelivery, Receivers, accepts, hangs, receiving
from tests.support.running import make_app
from tests.support.sockets import until
from tests.support.tenants import KEY, READ_KEY, make_tenant

MASTER_KEY = generate_master_key()
LOOPBACK = ip_network("127.0.0.0/8")


class Gateway:
    """A gateway's API, its database, and what delivers for it."""

    def __init__(self, clients: dict[str, httpx2.AsyncClient], database: Database, clock: PlatformClock) -> None:
        self.clients = clients
        self.client = clients["acme"]
        self.database = database
        self._clock = clock
        self.seconds = 0.0
        self.metrics: Any = None

    def deliverer(self, *, lease: float = 5.0, seconds: float = 15.0) -> Deliverer:
        transport = TransportForLibrary(GuardedTransport(ListedDestinations([LOOPBACK]), connections=400), connect=5.0)
        return Deliverer(
            self.database,
            WebhookSender({"http": transport}, seconds=seconds),
            Vault(MasterKeys.parse(MASTER_KEY)),
            self._clock.zone,
            self.metrics,
            poll=0.02,
            lease=lease,
            now=lambda: self._clock.now().timestamp() + self.seconds,
        )

    async def webhook(self, url: str, types: list[str] | None = None, tenant: str = "acme") -> dict[str, Any]:
        response = await self.clients[tenant].post("/v1/webhooks", json={"url": url, "types": types or ["*"]})
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    async def happen(self, *resources: str, tenant: str = "acme", type_: str = "campaign.progressed") -> None:
        events = [NewEvent(type=type_, resource=each, data='{"id":1}') for each in resources]
        await self.database.write(partial(appending, tenant, events))

    async def hurry(self) -> None:
        """Let all waits be over."""

        def steps() -> Steps[None]:
            yield [
                Statement("UPDATE deliveries SET due_at = {now} WHERE due_at > {now}"),
                Statement("UPDATE webhooks SET retry_at = NULL"),
            ]

        await self.database.write(steps)


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    async with in_front_of(database_url) as made:
        yield made


@asynccontextmanager
async def in_front_of(url: str) -> AsyncIterator[Gateway]:
    tenants = [make_tenant(tenant_id=name, suffix=name) for name in ("acme", "rival")]
    database = Database(url)
    settings: dict[str, Any] = {"master_key": SecretStr(MASTER_KEY), "webhook_networks": "127.0.0.0/8"}
    app = make_app(tenants, database=database, **settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        clients = {
            each.id: httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://gateway",
                headers={"X-API-Key": KEY + each.id},
            )
            for each in tenants
        }
        services: Services = app.state.services
        gateway = Gateway(clients, database, services.platform_clock)
        gateway.metrics = services.metrics
        yield gateway


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    async with receiving() as made:
        yield made


def verified(delivery: ReceivedDelivery, secret: str) -> dict[str, Any]:
    """Return the event of a delivery as a receiver takes it."""
    found: dict[str, Any] = Verifier(secret).verify(delivery.body, delivery.headers)
    return found


async def test_the_life_of_a_webhook(gateway: Gateway, receivers: Receivers) -> None:
    client = gateway.client
    made = await gateway.webhook(receivers.make("/one"), ["campaign.progressed"])
    shown = (await client.get(f"/v1/webhooks/{made['id']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (await client.get("/v1/webhooks")).json() == {"data": [shown]}
    async with gateway.deliverer().running():
        await gateway.happen("campaign/1")
        await gateway.happen("campaign/2", type_="campaign.held")
        await until(lambda: len(receivers.received) == 1)
        (first,) = receivers.received
        assert verified(first, made["secret"])["type"] == "campaign.progressed"
        with pytest.raises(WebhookVerificationError):
            verified(first, "whsec_" + "A" * 43 + "=")
        test = (await client.post(f"/v1/webhooks/{made['id']}/test")).json()
        await until(lambda: len(receivers.received) == 2)
        assert verified(receivers.received[1], made["secret"])["id"] == test["id"]
        # Both secrets sign for a day.
        turned = (await client.post(f"/v1/webhooks/{made['id']}/secret")).json()
        assert turned["secret"] != made["secret"]
        await gateway.happen("campaign/1")
        await until(lambda: len(receivers.received) == 3)
        for secret in (made["secret"], turned["secret"]):
            assert verified(receivers.received[2], secret)["type"] == "campaign.progressed"
        deliveries = await delivered(gateway, made["id"], 3)
        assert [each["id"] for each in deliveries] == [each.headers["webhook-id"] for each in receivers.received[::-1]]
        assert [each["attempts"][0]["status"] for each in deliveries] == [200, 200, 200]
        again = f"/v1/webhooks/{made['id']}/deliveries/{deliveries[-1]['id']}/retry"
        assert (await client.post(again)).status_code == 202
        await until(lambda: len(receivers.received) == 4)
        assert receivers.received[3].headers["webhook-id"] == first.headers["webhook-id"]
    assert (await client.patch(f"/v1/webhooks/{made['id']}", json={"enabled": False})).json()["enabled"] is False
    problem(await client.post(f"/v1/webhooks/{made['id']}/test"), 409, "conflict")
    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    problem(await client.get(f"/v1/webhooks/{made['id']}"), 404, "not_found")


async def test_nobody_reaches_what_is_anothers(gateway: Gateway, receivers: Receivers) -> None:
    made = await gateway.webhook(receivers.make("/one"))
    theirs = gateway.clients["rival"]
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/secret"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/evt_1/retry"),
    ):
        problem(await theirs.request(method, f"/v1/webhooks/{made['id']}{path}"), 404, "not_found")
    assert (await theirs.get("/v1/webhooks")).json() == {"data": []}
    reader = {"X-API-Key": f"{READ_KEY}acme"}
    problem(await gateway.client.get("/v1/webhooks", headers=reader), 403, "insufficient_scope")
    await theirs.get("/v1/events")
    async with gateway.deliverer().running():
        await gateway.happen("campaign/1", tenant="rival")
        await gateway.happen("campaign/2")
        await until(lambda: bool(receivers.received))
    assert len(receivers.received) == 1


async def test_urls_that_cannot_be(gateway: Gateway) -> None:
    refused = (
        "http://192.0.2.1/",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "ftp://hooks.example.com/",
        "https://hooks.example.com:0/",
        "hooks.example.com",
    )
    for url in refused:
        response = await gateway.client.post("/v1/webhooks", json={"url": url, "types": ["*"]})
        problem(response, 422, "validation_failed")
        assert refused_fields(response) == {"/url"}, url
    for types in ([], ["nothing.happened"], ["*", "campaign.held"]):
        body = {"url": "https://hooks.example.com/", "types": types}
        problem(await gateway.client.post("/v1/webhooks", json=body), 422, "validation_failed")


def test_receivers_are_where_everybody_may_see_them() -> None:
    public = PublicDestinations(allowed=[ip_network("10.1.0.0/16")])
    for address in ("93.184.216.34", "2606:2800:220:1::1", "10.1.2.3"):
        assert public.allows(address), address
    for address in (
        "10.2.0.1",
        "127.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.2.0.1",
        "2002:7f00:1::",
        "nothing",
    ):
        assert not public.allows(address), address


async def test_what_one_resource_went_through_comes_in_order_at_least_once(
    gateway: Gateway, receivers: Receivers
) -> None:
    """Whatever the receiver answers, and whoever dies in between."""
    told: dict[str, list[str]] = defaultdict(list)
    answered = 0

    async def moody(delivery: ReceivedDelivery) -> str:
        nonlocal answered
        answered += 1
        if answered % 3:
            return "503 Service Unavailable" if answered % 2 else "302 Found\r\nLocation: /elsewhere"
        told[delivery.event["data"]["of"]].append(delivery.headers["webhook-id"])
        return "204 No Content"

    await gateway.webhook(receivers.make("/moody", moody))
    expected = defaultdict(list)
    for _ in range(4):
        for of in "abc":
            event = NewEvent(type="campaign.progressed", resource=f"campaign/{of}", data=f'{{"of":"{of}"}}')
            await gateway.database.write(partial(appending, "acme", [event]))
    for event in (await gateway.client.get("/v1/events")).json()["data"]:
        expected[event["data"]["of"]].append(event["id"])
    stacks = [AsyncExitStack(), AsyncExitStack()]
    for stack in stacks:
        await stack.enter_async_context(gateway.deliverer(lease=0.5).running())
    async with asyncio.timeout(30):
        while sum(len(set(ids)) for ids in told.values()) < 12:
            await gateway.hurry()
            await asyncio.sleep(0.05)
            await stacks[0].aclose()
            await stacks[0].enter_async_context(gateway.deliverer(lease=0.5).running())
    for stack in stacks:
        await stack.aclose()
    assert {of: list(dict.fromkeys(ids)) for of, ids in told.items()} == expected
    assert "/elsewhere" not in {each.path for each in receivers.received}


async def test_receivers_that_hang_delay_nobody_else(gateway: Gateway, receivers: Receivers) -> None:
    for number in range(50):
        await gateway.webhook(receivers.make(f"/{number}", hangs if number < 10 else accepts))
    async with gateway.deliverer(seconds=3.0).running():
        for turn in range(3):
            began = asyncio.get_running_loop().time()
            await gateway.happen(f"campaign/{turn}")
            await until(
                lambda: all(len(receivers.at(f"/{number}")) > turn for number in range(10, 50))  # noqa: B023
            )
            assert asyncio.get_running_loop().time() - began < 2.5  # a hanging one takes 3
        assert all(receivers.at(f"/{number}") for number in range(10))


async def test_a_webhook_that_fails_for_three_days_is_disabled(gateway: Gateway, receivers: Receivers) -> None:
    async def fails(_delivery: ReceivedDelivery) -> str:
        return "500 Internal Server Error"

    made = await gateway.webhook(receivers.make("/fails", fails), ["campaign.progressed"])
    watching = await gateway.webhook(receivers.make("/watching"), ["webhook.disabled"])
    async with gateway.deliverer().running():
        await gateway.happen("campaign/1")
        await until(lambda: len(receivers.at("/fails")) == 1)
        shown = (await gateway.client.get(f"/v1/webhooks/{made['id']}")).json()
        assert shown["enabled"] is True
        gateway.seconds = 4 * 86_400.0

        def earlier() -> Steps[None]:
            yield [Statement("UPDATE webhooks SET failing_since = failing_since - 345600")]

        await until_noted(gateway, made["id"])
        await gateway.database.write(earlier)
        await gateway.hurry()
        await until(lambda: len(receivers.at("/watching")) == 1)
    shown = (await gateway.client.get(f"/v1/webhooks/{made['id']}")).json()
    assert (shown["enabled"], bool(shown["disabled_reason"])) == (False, True)
    event = receivers.at("/watching")[0].event
    assert (event["type"], event["data"]) == ("webhook.disabled", shown)
    assert event["previous"] == {"enabled": True, "disabled_reason": None}
    (delivery,) = (await gateway.client.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["data"]
    assert (delivery["status"], delivery["attempt_count"], delivery["next_attempt_at"]) == ("failed", 2, None)
    enabled = await gateway.client.patch(f"/v1/webhooks/{made['id']}", json={"enabled": True})
    assert (enabled.json()["enabled"], enabled.json()["disabled_reason"]) == (True, None)
    assert watching["id"]


async def delivered(gateway: Gateway, webhook: str, count: int) -> list[dict[str, Any]]:
    """Wait until so many deliveries are noted as delivered; return them, newest first."""
    path = f"/v1/webhooks/{webhook}/deliveries?status=delivered"
    async with asyncio.timeout(10):
        while len(found := (await gateway.client.get(path)).json()["data"]) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return list(found)


async def until_noted(gateway: Gateway, webhook: str) -> None:
    async with asyncio.timeout(10):
        while not (await gateway.client.get(f"/v1/webhooks/{webhook}")).json()["failing_since"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_the_database_holds_of_a_webhook_is_no_use_without_the_master_key(
    gateway: Gateway, receivers: Receivers
) -> None:
    made = await gateway.webhook(receivers.make("/one"))

    def steps() -> Steps[Any]:
        (rows,) = yield [Statement("SELECT * FROM webhooks")]
        return rows

    (row,) = await gateway.database.read(steps)
    assert made["secret"].removeprefix("whsec_") not in str(row)
    assert made["secret"].encode() not in b"".join(bytes(each) for each in row if isinstance(each, bytes | memoryview))
