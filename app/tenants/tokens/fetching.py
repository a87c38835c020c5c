"""Fetching the provider's keys: one small document, from one place, without following anybody anywhere."""

import asyncio
from contextlib import aclosing

import httpx2

_LARGEST = 256 * 1024


class KeysDocument:
    """Where a JWKS document is.

    Args:
        url: its address.
        transport: takes the request; closed by `aclose`.
        seconds: how long to wait for it in all.
    """

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport, *, seconds: float) -> None:
        self._url = url
        self._transport = transport
        self._seconds = seconds

    async def __call__(self) -> bytes:
        """Fetch it.

        Raises:
            OSError: nobody answers, not in time, or with anything but 200.
            ValueError: it is too large, or compressed.
        """
        waits = dict.fromkeys(("connect", "pool", "read", "write"), self._seconds)
        request = httpx2.Request(
            "GET", self._url, headers={"Accept": "application/json"}, extensions={"timeout": waits}
        )
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    return await _body(response)
                finally:
                    await response.aclose()
        except httpx2.HTTPError as error:
            raise ConnectionError(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


async def _body(response: httpx2.Response) -> bytes:
    if response.status_code != 200:
        raise ConnectionError(f"HTTP {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("compressed")
    body = bytearray()
    async with aclosing(response.aiter_raw()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > _LARGEST:
                raise ValueError("too large")
    return bytes(body)
