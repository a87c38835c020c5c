"""Where connections to platforms may lead, with real servers on loopback."""

import asyncio
import socket
from ipaddress import ip_network
from typing import Any

import pytest
from fastapi import FastAPI

from app.tenants.destinations import Destinations, PublicDestinations
from app.upstream.client import Timeouts, UpstreamClient
from app.upstream.envelope import WireRequest
from app.upstream.transport import GuardedTransport
from app.upstream.wire import NeverSent
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.servers import read_request, serving
from tests.support.tenants import make_tenant

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TIMEOUTS = Timeouts(connect=5.0, total=5.0)


class Server:
    """Remembers every request."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        self.requests: list[bytes] = []
        self._reply = reply

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await read_request(reader))
        writer.write(self._reply)
        await writer.drain()


async def call(url: str, destinations: Destinations) -> int:
    client = UpstreamClient(GuardedTransport(destinations, connections=2), max_reply_bytes=1024)
    try:
        request = WireRequest("GET", url, {"Authorization": "Basic secret"}, b"")
        return (await client.send(request, TIMEOUTS)).status
    finally:
        await client.aclose()


async def test_an_allowed_address_is_called() -> None:
    server = Server()
    async with serving(server) as url:
        assert await call(url, Destinations()) == 200
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_address_decides_not_the_name(scheme: str, name: str) -> None:
    """Whatever a name stands for at that moment: not even a connection is opened to a refused address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"{scheme}://{name}:{listener.getsockname()[1]}/"
        for destinations in (Destinations(refused=LOOPBACK), PublicDestinations()):
            with pytest.raises(NeverSent):
                await call(url, destinations)
        # The kernel has connected whoever tried, before anybody accepts.
        with pytest.raises(BlockingIOError):
            listener.accept()


def application(url: str, **settings: Any) -> FastAPI:
    return make_app([make_tenant(base_url=url)], **settings)


async def test_a_refused_platform_is_unavailable_and_nothing_else() -> None:
    server = Server()
    async with (
        serving(server) as url,
        client_of(application(url.replace("127.0.0.1", "localhost"), refused_upstreams="127.0.0.0/8,::1")) as client,
    ):
        problem(await client.get("/v1/lists"), 503, "upstream_unavailable")
    assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_takes_no_credential_elsewhere(status: int, method: str) -> None:
    elsewhere = Server()
    async with serving(elsewhere) as other:
        location = other.replace("127.0.0.1", "localhost").encode()
        head = f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: ".encode()
        platform = Server(head + location + b"\r\n\r\n")
        async with serving(platform) as url, client_of(application(url)) as client:
            body = {"name": "news"} if method == "POST" else None
            response = await client.request(method, "/v1/lists", json=body)
    assert (response.status_code, response.json()["code"]) == (
        (502, "upstream_error") if method == "GET" else (504, "outcome_unknown")
    )
    assert "location" not in response.headers
    assert len(platform.requests) == 1
    assert elsewhere.requests == []
