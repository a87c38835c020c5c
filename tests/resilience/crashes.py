"""Campaigns through a gateway that is killed again and again; `python -m tests.resilience.crashes --help`."""

import argparse
import asyncio
import base64
import random
import secrets
import tempfile
from collections import Counter
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.sandbox import Account, Fault, Sandbox
from tests.support.gateways import GatewayProcess, key_of, running_gateway, tenants_file
from tests.support.misbehaving import named, new_campaign
from tests.support.valkey import ValkeyServer

_OF_EACH_TENANT = 40
"""Campaigns; the platform takes 100 an hour of an account, and some are tried more than once."""
_FAULTY = 0.5
_UNKNOWN_FOR_GOOD = 2
_LONGEST_DELAY = 0.1
_FIRST_TIME = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
_SETTINGS: Mapping[str, object] = {
    "CONNECT_TIMEOUT": 1,
    "INTERACTIVE_TIMEOUT": 5,
    "WRITE_TIMEOUT": 2,
    "SEND_LOOKUP_TIME": 0.5,
    "STATE_TIMEOUT": 2,
    "BREAKER_OPEN_FOR": 1,
    "LOGIN_PAUSE": 1,
    "LOG_LEVEL": "WARNING",
}
_FAULTS = (
    "reset_before",
    "reset_after",
    "close_after",
    "hang_before",
    "hang_after",
    "truncate",
    "cut_xml",
    "html_200",
    "html_500",
    "status",
    "latency",
)


@dataclass
class Result:
    """What became of the campaigns.

    Args:
        answered: the ids that keys were answered with.
        unknown: keys that were told again and again that nobody knows.
        upstream: the ids of the platform's campaigns, by key.
        kills: how often the gateway was killed.
        tickets: how many campaigns were created with a ticket that was then refused to another request.
        answers: how often each answer was given.
    """

    answered: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    upstream: dict[str, list[int]] = field(default_factory=dict)
    kills: int = 0
    tickets: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    def broken_promises(self) -> list[str]:
        """Say which keys have more than one campaign, or were answered with another one than theirs."""
        twice = [f"{key} has {ids}" for key, ids in self.upstream.items() if len(ids) > 1]
        wrong = [f"{key} was told {told}" for key, told in self.answered.items() if self.upstream[key] != [told]]
        return twice + wrong

    def summary(self) -> str:
        """Describe it in a line."""
        lost = sum(1 for key in self.unknown if self.upstream[key])
        return (
            f"{len(self.answered)} campaigns created, {len(self.unknown)} unknown to the end ({lost} of them created),"
            f" {len(self.broken_promises())} broken promises, {self.kills} kills,"
            f" {self.tickets} tickets used once; answers: {dict(self.answers)}"
        )


class Storm:
    """Creates campaigns in a storm; what is killed is the gateway."""

    def __init__(
        self,
        sandbox: Sandbox,
        gateway: GatewayProcess,
        *,
        campaigns: int,
        at_once: int,
        seed: int,
        preflighted: Container[str],
    ) -> None:
        self._sandbox = sandbox
        self._gateway = gateway
        self._numbers = iter(range(campaigns))
        self._keys = [f"key-{number}" for number in range(campaigns)]
        self._at_once = at_once
        self._preflighted = preflighted
        self._between_kills = max(12, campaigns // 40)
        self._random = random.Random(seed)
        self._finished = asyncio.Condition()
        self.result = Result()

    async def run(self) -> Result:
        """Create them all, kill the gateway in between, and return what became of them."""
        killing = asyncio.create_task(self._kill_again_and_again())
        try:
            async with (
                httpx2.AsyncClient(base_url=self._gateway.url, timeout=60) as client,
                asyncio.TaskGroup() as all_,
            ):
                for _ in range(self._at_once):
                    all_.create_task(self._create_one_after_another(client))
        finally:
            killing.cancel()
            with suppress(asyncio.CancelledError):
                await killing
        for number, key in enumerate(self._keys):
            self.result.upstream[key] = named(self._sandbox, key, tenant_of(number))
        return self.result

    async def _kill_again_and_again(self) -> None:
        while True:
            until = self._count() + self._random.randrange(1, 2 * self._between_kills)
            async with self._finished:
                await self._finished.wait_for(lambda: self._count() >= until)  # noqa: B023 - waited for at once
            await asyncio.sleep(self._random.uniform(0, _LONGEST_DELAY))
            await self._gateway.kill()
            self.result.kills += 1
            await self._gateway.start()

    def _count(self) -> int:
        return len(self.result.answered) + len(self.result.unknown)

    async def _create_one_after_another(self, client: httpx2.AsyncClient) -> None:
        for number in self._numbers:
            await self._create(client, number)
            async with self._finished:
                self._finished.notify_all()

    async def _create(self, client: httpx2.AsyncClient, number: int) -> None:
        """Send one request until there is a final answer, as a client would."""
        key, body, unknown = self._keys[number], self._body(number), 0
        ticket: dict[str, str] | None = None
        while True:
            await self._gateway.up.wait()
            self._change_weather()
            ticket = ticket or await self._ticket(client, number, body)
            response = None if ticket is None else await self._ask(client, number, key, body, ticket)
            if response is None or ticket is None:
                continue
            if response.status_code == 201:
                self.result.answered[key] = response.json()["id"]
                await self._use_again(client, number, ticket)
                return
            code = response.json()["code"]
            # What the platform has refused has used its ticket up.
            ticket = None if code == "ticket_invalid" else ticket
            unknown += code == "outcome_unknown"
            if unknown == _UNKNOWN_FOR_GOOD:
                self.result.unknown.add(key)
                return
            await asyncio.sleep(min(float(response.headers.get("retry-after", "0.1")), 1.0))

    async def _ticket(self, client: httpx2.AsyncClient, number: int, body: dict[str, Any]) -> dict[str, str] | None:
        """Return the header with a ticket, where one is needed; None if there was no answer."""
        if tenant_of(number) not in self._preflighted:
            return {}
        headers = {"X-API-Key": key_of(tenant_of(number))}
        path = "/v1/campaigns/preflight?allow_duplicate=true"
        try:
            response = await client.post(path, json=body, headers=headers)
        except httpx2.TransportError:
            await asyncio.sleep(0)
            return None
        if response.status_code != 200:
            return None
        assert response.json()["ticket"], response.text
        return {"Preflight-Ticket": response.json()["ticket"]}

    async def _use_again(self, client: httpx2.AsyncClient, number: int, ticket: dict[str, str]) -> None:
        """Show a ticket that has been used with another request; were it carried out, there would be two campaigns."""
        if not ticket:
            return
        response = await self._ask(client, number, f"again-{number}", self._body(number), ticket)
        if response is not None:
            self.result.tickets += response.json().get("code") == "ticket_invalid"

    async def _ask(
        self, client: httpx2.AsyncClient, number: int, key: str, body: dict[str, Any], ticket: dict[str, str]
    ) -> httpx2.Response | None:
        headers = {"Idempotency-Key": key, "X-API-Key": key_of(tenant_of(number)), **ticket}
        try:
            response = await client.post("/v1/campaigns?allow_duplicate=true", json=body, headers=headers)
        except httpx2.TransportError:
            self.result.answers["none"] += 1
            await asyncio.sleep(0)
            return None
        self.result.answers[str(response.status_code if response.status_code == 201 else response.json()["code"])] += 1
        return response

    def _body(self, number: int) -> dict[str, Any]:
        modes: list[dict[str, str]] = [
            {"mode": "at", "at": (_FIRST_TIME + timedelta(minutes=number)).isoformat()},
            {"mode": "hold"},
            {"mode": "now"},
        ]
        tenant = tenant_of(number)
        sender = {"type": "address", "address": f"news@{tenant}.example"}
        return new_campaign(
            self._sandbox, tenant, sender=sender, from_name=self._keys[number], schedule=modes[number % len(modes)]
        )

    def _change_weather(self) -> None:
        self._sandbox.clear_faults()
        if self._random.random() < _FAULTY:
            operation = self._random.choice(["add-task", "add-task", "task-list"])
            kind = self._random.choice(_FAULTS)
            delay = 0.0 if kind.startswith("hang") else self._random.uniform(0, _LONGEST_DELAY)
            self._sandbox.misbehave(Fault(kind, operation=operation, delay=delay))


def tenant_of(number: int) -> str:
    """Return the tenant whose campaign it is."""
    return f"tenant-{number // _OF_EACH_TENANT}"


async def weather(folder: Path, *, campaigns: int, seed: int, at_once: int = 16, tickets: bool = False) -> Result:
    """Run a platform, a store and a gateway, and create campaigns; with `tickets` all tenants demand preflights."""
    tenants = list(dict.fromkeys(tenant_of(number) for number in range(campaigns)))
    preflighted = tenants if tickets else tenants[1::2]
    logins = [(name, f"{name}-password") for name in tenants]
    accounts = [Account(username=name, password=password, role="customer", seeded=True) for name, password in logins]
    valkey = ValkeyServer()
    valkey.start()
    try:
        async with Sandbox(accounts=accounts) as sandbox:
            settings = {
                **_SETTINGS,
                "TENANTS_URL": tenants_file(
                    folder,
                    sandbox.base_url,
                    ((each.username, each.password) for each in accounts),
                    preflighted=preflighted,
                ),
                "STATE_URL": valkey.url,
                "DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
                "MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            }
            async with running_gateway(folder, settings) as gateway:
                return await Storm(
                    sandbox, gateway, campaigns=campaigns, at_once=at_once, seed=seed, preflighted=preflighted
                ).run()
    finally:
        valkey.close()


def main() -> None:
    """Run the storm as the command line says, and fail if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--tickets", action="store_true", help="have all tenants demand preflights")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="crashes-") as folder:
        result = asyncio.run(
            weather(
                Path(folder),
                campaigns=options.campaigns,
                at_once=options.at_once,
                seed=options.seed,
                tickets=options.tickets,
            )
        )
    print(result.summary())
    if broken := result.broken_promises():
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
