"""Which address of a relay is connected to."""

import asyncio
import socket
from ipaddress import ip_network

import pytest

from app.messages.session import NoConnection, NoConnectionInTime, connected
from app.tenants.destinations import Destinations
from tests.support.servers import serving, unused_port

NOT_LOOPBACK = Destinations(refused=[ip_network("127.0.0.0/8"), ip_network("::1/128")])


class Listener:
    """Remembers what each connection brought."""

    def __init__(self) -> None:
        self.brought: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        self.brought.put_nowait(await reader.read())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1"])
async def test_a_refused_address_is_not_even_connected_to(host: str) -> None:
    listener = Listener()
    async with serving(listener) as url:
        port = int(url.split(":")[2].split("/")[0])
        with pytest.raises(NoConnection):
            await connected(host, port, NOT_LOOPBACK, seconds=5)
        with await connected(host, port, Destinations(), seconds=5) as sock:
            sock.send(b"allowed")
        async with asyncio.timeout(5):
            assert await listener.brought.get() == b"allowed"
        assert listener.brought.empty()


async def test_nobody_there() -> None:
    with pytest.raises(NoConnection):
        await connected("127.0.0.1", unused_port(), Destinations(), seconds=5)


async def test_a_name_that_is_none() -> None:
    with pytest.raises(socket.gaierror):
        await connected("no-such-name.invalid", 25, Destinations(), seconds=5)


async def test_no_time() -> None:
    with pytest.raises(NoConnectionInTime):
        await connected("127.0.0.1", 25, Destinations(), seconds=0)
