"""Keeping the provider's keys, and asking for them rarely; its server is real."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.tenants.jwks import KeysDocument, KeysUnavailable, ProviderKeys
from tests.support.clocks import Clock
from tests.support.servers import unused_port
from tests.support.sockets import until
from tests.support.tokens import Provider, providing

ONE = {"kty": "RSA", "kid": "one", "n": "x", "e": "AQAB"}
TWO = {"kty": "EC", "kid": "two", "crv": "P-256"}
LIFETIME, PAUSE, USABLE = 600.0, 10.0, 3600.0


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with providing(ONE) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(provider: Provider, clock: Clock) -> AsyncIterator[ProviderKeys]:
    document = KeysDocument(provider.url, httpx2.AsyncHTTPTransport(), seconds=5)
    yield ProviderKeys(document, lifetime=LIFETIME, pause=PAUSE, usable=USABLE, clock=clock)
    await document.aclose()


async def test_fetched_once_for_its_lifetime(keys: ProviderKeys, provider: Provider, clock: Clock) -> None:
    found = await asyncio.gather(*(keys.find("one") for _ in range(20)))
    assert found == [ONE] * 20
    clock.now += LIFETIME - 1
    await keys.find("one")
    assert provider.fetches == 1
    clock.now += 1
    assert await keys.find("one") is found[0], "a key that has not changed stays the same object"
    assert provider.fetches == 2


async def test_a_withdrawn_key_ends_with_the_lifetime(keys: ProviderKeys, provider: Provider, clock: Clock) -> None:
    await keys.find("one")
    provider.keys = [TWO]
    clock.now += LIFETIME
    assert await keys.find("one") is None


async def test_an_unknown_id_is_looked_for_at_once_but_not_all_the_time(
    keys: ProviderKeys, provider: Provider, clock: Clock
) -> None:
    await keys.find("one")
    provider.keys = [ONE, TWO]
    assert await keys.find("two") is None, "the keys were fetched a moment ago"
    clock.now += PAUSE
    assert await keys.find("two") == TWO
    for number in range(100):
        assert await keys.find(f"unknown-{number}") is None
    assert provider.fetches == 2


async def test_old_keys_serve_while_nobody_answers(keys: ProviderKeys, provider: Provider, clock: Clock) -> None:
    await keys.find("one")
    provider.reply = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    clock.now += LIFETIME
    assert await keys.find("one") == ONE
    clock.now += USABLE - LIFETIME
    with pytest.raises(KeysUnavailable):
        await keys.find("one")


async def test_a_slow_provider_holds_up_one_request(keys: ProviderKeys, provider: Provider, clock: Clock) -> None:
    await keys.find("one")
    provider.hanging = asyncio.Event()
    clock.now += LIFETIME
    asked = asyncio.create_task(keys.find("one"))
    async with asyncio.timeout(10):
        await until(lambda: provider.fetches == 2)
        assert await keys.find("one") == ONE
    assert not asked.done()
    provider.hanging.set()
    assert await asked == ONE


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b" " * 300_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"keys": 1}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_key_set_is_none(keys: ProviderKeys, provider: Provider, reply: bytes) -> None:
    provider.reply = reply
    with pytest.raises(KeysUnavailable):
        await keys.find("one")


async def test_keys_that_cannot_check_signatures_are_left_out(keys: ProviderKeys, provider: Provider) -> None:
    provider.keys = [
        {**TWO, "use": "enc"},
        {"kty": "oct", "kid": "three", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {**TWO, "kty": ["RSA"]},
        ONE,
    ]
    assert [await keys.find(kid) for kid in ("one", "two", "three")] == [ONE, None, None]


async def test_nobody_there() -> None:
    document = KeysDocument(f"http://127.0.0.1:{unused_port()}/", httpx2.AsyncHTTPTransport(), seconds=5)
    with pytest.raises(ConnectionError):
        await document()
    await document.aclose()
