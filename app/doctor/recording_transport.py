"""The connection to the platform during a diagnosis: it lets only reads through and keeps the last reply."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.gateway.operation import Effect, Export, Operation
from app.upstream.client import Decompressor
from app.upstream.envelope import WireRequest
from app.upstream.wire import Progress, Reply, Transport


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


class RecordingTransport(Transport):
    """A transport that lets nothing through but certain reads."""

    def __init__(self, transport: Transport, reads: Iterable[Operation[Any, Any] | Export[Any]]) -> None:
        self._transport = transport
        self._reads = [(each.script, [each.do] if each.do else []) for each in reads if each.effect is Effect.READ]
        self.last: RecordedReply | None = None
        """The last reply, once its head is there."""

    async def open(self, request: WireRequest, *, connect: float, progress: Progress) -> Reply:
        """Send a request and keep what comes back as it is read; see `Transport.open`.

        Raises:
            NotARead: the request is none of the reads.
        """
        self.last = None
        url = urlsplit(request.url)
        script, do = url.path.rpartition("/")[2], parse_qs(url.query).get("do", [])
        if request.method != "GET" or (script, do) not in self._reads:
            raise NotARead(f"{request.method} {script}")
        reply = await self._transport.open(request, connect=connect, progress=progress)
        headers = reply.headers
        self.last = RecordedReply(reply.status, headers.get("content-type", ""), headers.get("content-encoding", ""))
        return _Tapped(reply, self.last)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class _Tapped:
    def __init__(self, reply: Reply, recorded: RecordedReply) -> None:
        self.status, self.headers = reply.status, reply.headers
        self._reply = reply
        self._recorded = recorded

    async def chunk(self) -> bytes | None:
        chunk = await self._reply.chunk()
        if chunk is None:
            self._recorded.complete = True
        else:
            self._recorded.chunks.append(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._reply.aclose()
