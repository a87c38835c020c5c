"""Reads and writes for many tenants through two gateways that share a cache, held against a reference model.

`python -m tests.resilience.consistency --requests 100000 --tenants 200` does it on a large scale.
"""

import argparse
import asyncio
import base64
import random
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from app.tenants.vault import generate_master_key
from tests.support.gateways import GatewayProcess, key_of, running_gateway, tenants_file
from tests.support.servers import unused_port
from tests.support.valkey import ValkeyServer

_WRITES = 0.1
_SESSIONS = 2
_LISTS = "<maillist><item><id>{}</id><subject>{}</subject><status>enabled</status></item></maillist>"
_DONE = "<result><status>success</status><id>{}</id></result>"


@dataclass
class Result:
    """What was seen.

    Args:
        requests: how many were answered.
        hits: how many of the reads were answered from the cache.
        upstream: how many calls reached the platform.
        wrong: what must not be: somebody else's data, an older state than the session's own last write, an error.
    """

    requests: int = 0
    hits: int = 0
    upstream: int = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Describe it in a line."""
        return (
            f"{self.requests} requests, {self.hits} of them answered from the cache, {self.upstream} calls to the"
            f" platform, {len(self.wrong)} wrong answers {self.wrong[:5]}"
        )


class Platform:
    """A platform with one list for each account, whose id counts the account's writes.

    Args:
        result: where its calls are counted.
    """

    def __init__(self, result: Result) -> None:
        self.versions: Counter[str] = Counter()
        self._result = result

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call as `maillist-list` or `maillist-add` would."""
        self._result.upstream += 1
        account = base64.b64decode(request.headers["Authorization"].split()[1]).decode().partition(":")[0]
        await asyncio.sleep(random.random() / 500)
        if request.query["do"] == "maillist-add":
            self.versions[account] += 1
            text = _DONE.format(self.versions[account])
        else:
            text = _LISTS.format(self.versions[account], account)
        # What was true when it was looked up may not be when it arrives.
        await asyncio.sleep(random.random() / 500)
        return web.Response(text=text, content_type="text/xml")


class Session:
    """One client of a tenant, which meets either gateway and remembers its own last write.

    Args:
        tenant: whose.
        urls: the gateways.
        http: how they are reached.
        result: where it writes what it sees.
    """

    def __init__(self, tenant: str, urls: list[str], http: aiohttp.ClientSession, result: Result) -> None:
        self._tenant = tenant
        self._urls = urls
        self._http = http
        self._result = result
        self.written = 0

    async def step(self) -> None:
        """Read or write once."""
        url = f"{random.choice(self._urls)}/v1/lists"
        headers = {"X-API-Key": key_of(self._tenant)}
        if random.random() < _WRITES:
            async with self._http.post(url, json={"name": "n"}, headers=headers) as response:
                await self._take_write(response)
        else:
            async with self._http.get(url, headers=headers) as response:
                await self._take_read(response)
        self._result.requests += 1

    async def read_from(self, url: str) -> int:
        """Read from one gateway and return the version it shows."""
        async with self._http.get(f"{url}/v1/lists", headers={"X-API-Key": key_of(self._tenant)}) as response:
            version: int = (await response.json())["data"][0]["id"]
            return version

    async def _take_write(self, response: aiohttp.ClientResponse) -> None:
        if response.status != 201:
            self._result.wrong.append(f"write {response.status} {await response.text()}")
            return
        self.written = (await response.json())["id"]

    async def _take_read(self, response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            self._result.wrong.append(f"read {response.status} {await response.text()}")
            return
        (found,) = (await response.json())["data"]
        status = response.headers["Cache-Status"]
        self._result.hits += "; hit" in status
        if found["name"] != self._tenant:
            self._result.wrong.append(f"{self._tenant} was shown {found['name']}")
        if found["id"] < self.written:
            self._result.wrong.append(f"{self._tenant} wrote {self.written} and was shown {found['id']} ({status})")


async def run(*, requests: int, tenants: int, at_once: int) -> Result:
    """Run it all, with the store lost and found again in the middle, then hanging, and return what was seen."""
    result = Result()
    platform = Platform(result)
    valkey = ValkeyServer()
    names = [f"tenant{number}" for number in range(tenants)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(valkey.close)
        valkey.start()
        base_url = await _serve(platform, stack)
        gateways = await _gateways(folder, base_url, names, valkey, stack)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)))
        urls = [gateway.url for gateway in gateways]
        sessions = [Session(name, urls, http, result) for name in names for _ in range(_SESSIONS)]
        await _storm(sessions, valkey, result, requests=requests, at_once=at_once)
        for session, name in zip(sessions[::_SESSIONS], names, strict=True):
            for url in urls:
                if (shown := await session.read_from(url)) != platform.versions[name]:
                    result.wrong.append(f"{name} ends with {platform.versions[name]} and is shown {shown}")
    return result


async def _serve(platform: Platform, stack: AsyncExitStack) -> str:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", platform.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{port}/mm-ms/apinew/"


async def _gateways(
    folder: Path, base_url: str, names: list[str], valkey: ValkeyServer, stack: AsyncExitStack
) -> list[GatewayProcess]:
    settings = {
        "TENANTS_URL": tenants_file(folder, base_url, [(name, "secret") for name in names]),
        "STATE_URL": valkey.url,
        "MASTER_KEY": generate_master_key(),
        "DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "LOG_LEVEL": "WARNING",
    }
    gateways = []
    for number in range(2):
        (own := folder / str(number)).mkdir()
        gateways.append(await stack.enter_async_context(running_gateway(own, settings)))
    return gateways


async def _storm(sessions: list[Session], valkey: ValkeyServer, result: Result, *, requests: int, at_once: int) -> None:
    """Have sessions step at random, each one thing at a time; the store goes and comes back twice, and hangs once."""
    free = list(sessions)
    events = {
        int(requests * share): event
        for share, event in (
            (0.3, lambda: valkey.stop(keep=True)),
            (0.4, valkey.start),
            (0.6, lambda: valkey.stop(keep=False)),
            (0.7, valkey.start),
            (0.85, valkey.pause),
            (0.87, valkey.resume),
        )
    }
    numbers = iter(range(requests))

    async def client() -> None:
        for number in numbers:
            if number in events:
                await asyncio.to_thread(events[number])
            session = free.pop(random.randrange(len(free)))
            await session.step()
            free.append(session)

    async with asyncio.TaskGroup() as all_:
        for _ in range(min(at_once, len(sessions) // 2)):
            all_.create_task(client())


def main() -> None:
    """Run it as the command line says and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=32)
    options = parser.parse_args()
    result = asyncio.run(run(requests=options.requests, tenants=options.tenants, at_once=options.at_once))
    print(result.summary())  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
