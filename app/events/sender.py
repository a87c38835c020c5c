"""Sending one delivery: a POST over a connection that is looked at first; no redirect, no proxy, 15 seconds."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

import httpx2

_MOST_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a POST: the status it was answered with, or why it was not."""

    status: int | None
    seconds: float
    error: str | None = None
    retry_after: str | None = None


class WebhookSender:
    """Posts to receivers, by the transport of a URL's scheme."""

    def __init__(self, transports: Mapping[str, httpx2.AsyncBaseTransport], *, seconds: float = 15.0) -> None:
        self._transports = transports
        self._seconds = seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Delivered:
        """Post once."""
        began = time.perf_counter()
        status, error, retry_after = None, None, None
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._sent(url, headers, body)
                status, retry_after = response.status_code, response.headers.get("retry-after")
                await _rest(response)
        except TimeoutError:
            error = "no answer in time"
        except (httpx2.HTTPError, httpx2.InvalidURL, KeyError, ValueError) as failure:
            error = str(failure) or type(failure).__name__
        if error is not None and status is not None:
            # The answer is known, and nobody needs the rest of it.
            error = None
        return Delivered(status, time.perf_counter() - began, error, retry_after)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()

    async def _sent(self, url: str, headers: Mapping[str, str], body: bytes) -> httpx2.Response:
        target = httpx2.URL(url)
        request = httpx2.Request("POST", target, headers=dict(headers), content=body)
        return await self._transports[target.scheme].handle_async_request(request)


async def _rest(response: httpx2.Response) -> None:
    """Read what follows, so that the connection can be used again; not if it is much."""
    try:
        read = 0
        async with aclosing(response.aiter_raw()) as chunks:
            async for chunk in chunks:
                read += len(chunk)
                if read > _MOST_READ:
                    break
    finally:
        await response.aclose()
