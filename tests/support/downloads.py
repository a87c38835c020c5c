"""Raw connections that read an export chunk by chunk."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.tenants import KEY


class Connection:
    """A raw connection that has asked for something.

    Args:
        reader: what comes back.
        writer: the way to leave.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.body = b""

    async def head(self) -> str:
        """Read the answer's head."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def chunk(self) -> bytes | None:
        """Read a chunk of the body (RFC 9112, section 7.1); None when the connection ends in the middle of it."""
        try:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            data = (await self.reader.readexactly(size + 2))[:-2]
        except asyncio.IncompleteReadError:
            return None
        self.body += data
        return data

    async def is_whole(self) -> bool:
        """Read to the end and tell whether the body was brought to its end."""
        while (chunk := await self.chunk()) is not None:
            if not chunk:
                return True
        return False


@asynccontextmanager
async def asking(port: int, path: str, *headers: str, receive_buffer: int | None = None) -> AsyncIterator[Connection]:
    """Send a GET request with a key; leaving closes the connection."""
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2**16)
    lines = [f"GET {path} HTTP/1.1", "Host: gateway", f"X-API-Key: {KEY}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
