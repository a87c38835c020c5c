"""The session on the event loop that serves, whose transports are none of asyncio's classes."""

import asyncio

import uvloop

from app.messages.session import SmtpSession


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 relay.example\r\n")
    while await reader.readline():
        writer.write(b"250 ok\r\n")
    writer.close()


async def ask_once() -> tuple[int, int]:
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        _, session = await asyncio.get_running_loop().create_connection(SmtpSession, host, port)
        greeting, answer = await session.greeted(), await session.ask(b"NOOP", seconds=30)
        _, left = session.send(b"NOOP", b"NOOP")
        await left
        transport = session._transport
        assert transport is not None
        transport.close()
    return greeting.code, answer.code


def test_speaks_on_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask_once()) == (220, 250)
