"""A platform with two accounts that have templates and lists, and a gateway with its policies on in front of it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.misbehaving import ACCOUNTS, gateway


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox with the seeded accounts `acme` and `rival`."""
    async with Sandbox(accounts=ACCOUNTS) as running:
        yield running


@pytest.fixture
async def clients(sandbox: Sandbox) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """A client per account."""
    async with gateway(sandbox.base_url) as running:
        yield running


@pytest.fixture
def client(clients: dict[str, httpx2.AsyncClient]) -> httpx2.AsyncClient:
    """The tenant `acme`."""
    return clients["acme"]
