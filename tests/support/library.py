"""Transports of the HTTP library in the place of the gateway's own."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

import httpx2

from app.upstream.envelope import WireRequest
from app.upstream.multipart import Upload
from app.upstream.wire import MaybeSent, NeverSent, Progress, Reply, Transport, TransportFailure

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_TIMED_OUT = (httpx2.TimeoutException,)
_SENDING = "send_request_headers.started"


class LibraryTransport(Transport):
    """A transport over one of the library's."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def open(self, request: WireRequest, *, connect: float, progress: Progress) -> Reply:
        """Send a request; see `Transport.open`."""
        try:
            response = await self._transport.handle_async_request(_library_request(request, connect, progress))
        except httpx2.HTTPError as error:
            failure = _failure(error)
        else:
            return _LibraryReply(response)
        # Raised here, where the library's error, which may quote the request, does not become its context.
        raise failure

    async def aclose(self) -> None:
        """Close the library's transport."""
        await self._transport.aclose()


class _LibraryReply:
    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        # Not the library's own iteration, which undoes compression without a bound.
        self._chunks = cast("AsyncGenerator[bytes]", aiter(cast("httpx2.AsyncByteStream", response.stream)))

    async def chunk(self) -> bytes | None:
        try:
            return await anext(self._chunks, None)
        except httpx2.HTTPError as error:
            failure = _failure(error)
        raise failure

    async def aclose(self) -> None:
        if hasattr(self._chunks, "aclose"):
            await self._chunks.aclose()
        await self._response.aclose()


def _library_request(request: WireRequest, connect: float, progress: Progress) -> httpx2.Request:
    async def trace(event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith(_SENDING):
            progress.sending = True

    return httpx2.Request(
        request.method,
        request.url,
        headers=dict(request.headers),
        content=_upload(request.upload) if request.upload else request.body or None,
        # The waits for bytes are bounded by whoever asks, for the call as a whole.
        extensions={"timeout": dict.fromkeys(("connect", "pool"), connect), "trace": trace},
    )


async def _upload(upload: Upload) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(upload.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
    except (OSError, ValueError):
        # Part of the request may have left by now.
        raise _UnreadableUpload("") from None


class _UnreadableUpload(httpx2.TransportError):
    """The file to upload could not be read to its end."""


def _failure(error: httpx2.HTTPError) -> TransportFailure:
    kind = NeverSent if isinstance(error, _NEVER_SENT) else MaybeSent
    # The library's own message may quote the URL; its class says enough.
    reason = _REASONS.get(type(error).__name__, "the connection failed")
    return kind(reason, timed_out=isinstance(error, _TIMED_OUT))


_REASONS = {
    "ConnectError": "cannot connect",
    "ConnectTimeout": "no connection in time",
    "PoolTimeout": "no free connection in time",
    "UnsupportedProtocol": "the base URL is neither http nor https",
    "ReadTimeout": "no reply in time",
    "WriteTimeout": "the request could not be sent in time",
    "ReadError": "the connection broke while waiting for the reply",
    "WriteError": "the connection broke while sending",
    "RemoteProtocolError": "the reply is not valid HTTP or stopped in the middle",
    "DecodingError": "the reply's compression is broken",
    "_UnreadableUpload": "the file to upload could not be read",
}
