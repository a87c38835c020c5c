"""A submitter with short waits, and certificates that it trusts."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import trustme

from app.gateway.sends import Sends
from app.messages.models import SmtpTimeouts
from app.messages.pool import RelayPool
from app.messages.submitter import Submitter
from app.storage.writes.store import WriteStore
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.destinations import Destinations
from app.tenants.vault import MasterKey
from tests.support.databases import fresh_database

WAITS = SmtpTimeouts(connect=5, reply=5, total=10)
_STORES: list[WriteStore] = []


@pytest.fixture(autouse=True)
async def writes() -> AsyncIterator[WriteStore]:
    """The store that this test's submitters journal in."""
    database = fresh_database()
    async with database.running():
        store = WriteStore(database, MasterKey.random())
        async with store.running():
            _STORES.append(store)
            yield store
            _STORES.remove(store)


def make_submitter(
    waits: SmtpTimeouts = WAITS, tls: ssl.SSLContext | None = None, *, size: int = 5, idle_seconds: float = 60
) -> Submitter:
    """Return a submitter; without a context of its own it trusts what the system trusts."""
    pool = RelayPool(
        waits, lambda: tls or ssl.create_default_context(), Destinations(), size=size, idle_seconds=idle_seconds
    )
    observer = TelemetryObserver(Metrics())
    return Submitter(pool, Sends(_STORES[-1]), deadline=waits.total, now=lambda: datetime.now(UTC), observer=observer)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A context that shows a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
async def submitter(client_tls: ssl.SSLContext) -> AsyncIterator[Submitter]:
    """A submitter that trusts the authority."""
    made = make_submitter(tls=client_tls)
    yield made
    await made.aclose()
