"""Repositories over databases of each kind."""

from collections.abc import AsyncIterator

import pytest

from app.storage.tenants.repository import TenantRepository
from tests.support.attempts import Clock
from tests.support.tenant_databases import opened_repository


@pytest.fixture
def clock() -> Clock:
    """The time by which repositories go."""
    return Clock()


@pytest.fixture
async def repository(database_url: str, clock: Clock) -> AsyncIterator[TenantRepository]:
    """An empty repository, one of each kind of database in turn."""
    async with opened_repository(database_url, now=clock) as opened:
        yield opened
