"""A proxy in front of a server that listens on a Unix socket, which can fall silent or go away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.servers import unused_port


class Proxy:
    """Passes bytes on between loopback and a Unix socket until told otherwise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = unused_port()

    async def start(self) -> None:
        """Listen; the port stays the same over stops and starts."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def stop(self) -> None:
        """Refuse new connections and break those there are."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()

    def hush(self) -> None:
        """Keep connections open, and take new ones, but pass nothing on any more."""
        self._passing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._path))
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def proxied(path: Path) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the Unix socket at `path`."""
    proxy = Proxy(path)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        proxy._passing.set()
