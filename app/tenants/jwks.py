"""An identity provider's public keys (JWKS, RFC 7517): fetched when needed, kept for a while, asked for rarely."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx2
import structlog

_LARGEST = 256 * 1024


class KeysDocument:
    """Where a JWKS document is."""

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


log = structlog.get_logger(__name__)

Jwk = dict[str, Any]

_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_MOST_KEYS = 100
_CONSEQUENCE = "the keys fetched last are used for a day at most; tokens signed with others are refused"


class KeysUnavailable(Exception):
    """The provider's keys could not be fetched, and none that may still be used were fetched before."""


class ProviderKeys:
    """Finds a public key by its id.

    While the provider cannot be reached, what was fetched last stays in use for a day at most.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        lifetime: float,
        pause: float = 10.0,
        usable: float = 86_400.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._lifetime = lifetime
        self._pause = pause
        self._usable = usable
        self._clock = clock
        self._keys: dict[str, Jwk] = {}
        self._failing = False
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> Jwk | None:
        """Return the key with an id, always the same object as long as it does not change, or None.

        Raises:
            KeysUnavailable: nothing is known of any key.
        """
        now = self._clock()
        fresh = now < self._fetched + self._lifetime
        if kid in self._keys and (fresh or self._fetching.locked()) and now < self._fetched + self._usable:
            return self._keys[kid]
        async with self._fetching:
            await self._refresh(kid)
        if self._clock() >= self._fetched + self._usable:
            raise KeysUnavailable
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        """Fetch the keys, unless that was done a moment ago or is not needed any more."""
        now = self._clock()
        wanted = kid not in self._keys or now >= self._fetched + self._lifetime
        if not wanted or now < self._tried + self._pause:
            return
        self._tried = now
        try:
            keys = _read(await self._fetch())
        except (OSError, ValueError, RecursionError) as error:
            if not self._failing:
                log.error("token_keys_lost", reason=str(error) or type(error).__name__, consequence=_CONSEQUENCE)
            self._failing = True
            return
        if self._failing:
            log.warning("token_keys_back")
        self._failing = False
        self._keys = {kid: self._keys[kid] if self._keys.get(kid) == jwk else jwk for kid, jwk in keys.items()}
        self._fetched = self._clock()


def _read(document: bytes) -> dict[str, Jwk]:
    """Return the keys of a JWKS document that can be used to check signatures; raises `ValueError` where it is none."""
    found = json.loads(document)
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise ValueError("no JWKS document")  # noqa: TRY004 - what is wrong is the document's value
    return {key["kid"]: key for key in keys[:_MOST_KEYS] if _is_usable(key)}


def _is_usable(key: Any) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and isinstance(key.get("kty"), str)
        and key["kty"] in _KEY_TYPES
        and key.get("use", "sig") == "sig"
    )
