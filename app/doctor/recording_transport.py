"""The connection to the platform during a diagnosis: it lets only reads through and keeps the last reply."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2

from app.gateway.operation import Effect, Export, Operation
from app.upstream.client import Decompressor


@dataclass(slots=True)
class RecordedReply:
    """A reply as far as it has come."""

    status: int
    content_type: str
    encoding: str
    chunks: list[bytes] = field(default_factory=list, repr=False)
    complete: bool = False

    def body(self) -> bytes:
        """Return the body as far as it has come, without compression.

        Raises:
            ValueError: it is not what its encoding says.
        """
        decompressor = Decompressor(self.encoding)
        body = b"".join(part for chunk in self.chunks for part in decompressor.parts(chunk))
        if self.complete:
            decompressor.end()
        return body


class NotARead(Exception):
    """A request was about to leave that is none of the reads there are."""


class RecordingTransport(httpx2.AsyncBaseTransport):
    """A transport that lets nothing through but certain reads."""

    def __init__(
        self, transport: httpx2.AsyncBaseTransport, reads: Iterable[Operation[Any, Any] | Export[Any]]
    ) -> None:
        self._transport = transport
        self._reads = [(each.script, [each.do] if each.do else []) for each in reads if each.effect is Effect.READ]
        self.last: RecordedReply | None = None
        """The last reply, once its head is there."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and keep what comes back as it is read.

        Raises:
            NotARead: the request is none of the reads.
        """
        self.last = None
        script, do = request.url.path.rpartition("/")[2], request.url.params.get_list("do")
        if request.method != "GET" or (script, do) not in self._reads:
            raise NotARead(f"{request.method} {script}")
        response = await self._transport.handle_async_request(request)
        headers = response.headers
        self.last = RecordedReply(
            response.status_code, headers.get("content-type", ""), headers.get("content-encoding", "")
        )
        stream = _Tapped(cast("httpx2.AsyncByteStream", response.stream), self.last)
        return httpx2.Response(
            response.status_code, headers=headers, stream=stream, extensions=dict(response.extensions)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class _Tapped(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, reply: RecordedReply) -> None:
        self._stream = stream
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(cast("AsyncGenerator[bytes]", aiter(self._stream))) as chunks:
            async for chunk in chunks:
                self._reply.chunks.append(chunk)
                yield chunk
        self._reply.complete = True

    async def aclose(self) -> None:
        await self._stream.aclose()
