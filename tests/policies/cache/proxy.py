"""A proxy between a replica and its store that can keep back what the store says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.servers import serving


class Proxy:
    """Passes everything on, but nothing to subscribers while it is `mute`; replies to scripts wait for `replies`.

    Nothing gets through it between `cut` and `mend`, and what was connected is not any longer.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.mute = False
        self.replies = asyncio.Event()
        self.replies.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Close all connections and every new one."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Run it; yields the store's URL by way of the proxy."""
        async with serving(self._pass_on) as url:
            yield f"redis://127.0.0.1:{url.split(':')[2].partition('/')[0]}/0"

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            await self._connect(reader, writer)
        finally:
            self._writers.discard(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        said = bytearray()
        forth = asyncio.create_task(self._forth(reader, target_writer, said))
        try:
            while content := await target_reader.read(65_536):
                if b"EVALSHA" in said:
                    await self.replies.wait()
                if not (self.mute and b"SUBSCRIBE" in said):
                    writer.write(content)
        finally:
            forth.cancel()
            target_writer.close()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytearray) -> None:
        while content := await reader.read(65_536):
            said += content
            writer.write(content)
        writer.close()
