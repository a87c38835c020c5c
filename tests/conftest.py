"""The gateway in front of the sandbox, both real."""

from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import settings

from app.sandbox import Account, Sandbox
from app.telemetry.logs import configure_logging
from tests.support.isolation import block_sockets, is_unit_test
from tests.support.postgres import Databases, postgres_server
from tests.support.running import CHECKED, client_of, make_app
from tests.support.tenants import KEY, make_tenant
from tests.support.valkey import ValkeyServer

# Machines are busy; what is slow is measured by the benchmarks.
settings.register_profile("suite", deadline=None, max_examples=25)
settings.register_profile("unit", deadline=None, max_examples=10)
settings.register_profile("thorough", deadline=None, max_examples=1000)

ACCOUNTS = [
    Account(username="acme", password="密码:acme", role="customer", seeded=False),
    Account(username="rival", password="rival-password", role="customer", seeded=False),
    Account(username="seeded", password="seeded-password", role="customer", seeded=True),
]

Clients = dict[str, httpx2.AsyncClient]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--unit", action="store_true", help="run the tests that open no socket, alone")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("unit" if config.option.unit else "suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.unit:
        config.hook.pytest_deselected(items=[item for item in items if not is_unit_test(item)])
        items[:] = [item for item in items if is_unit_test(item)]


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep unit tests from opening sockets."""
    if is_unit_test(request.node):
        block_sockets(monkeypatch)


@pytest.fixture(scope="session")
def sockets() -> None:
    """Let a test among unit tests open sockets."""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox with the empty accounts `acme` and `rival` and the account `seeded`."""
    async with Sandbox(accounts=ACCOUNTS) as running:
        yield running


@pytest.fixture
async def clients(sandbox: Sandbox) -> AsyncIterator[Clients]:
    """A client per tenant, all of one gateway in front of the sandbox."""
    tenants = [
        make_tenant(tenant_id=each.username, base_url=sandbox.base_url, password=each.password, suffix=each.username)
        for each in ACCOUNTS
    ]
    app = make_app(tenants)
    async with app.router.lifespan_context(app):
        yield {
            tenant.id: httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://gateway",
                headers={"X-API-Key": KEY + tenant.id},
                event_hooks=CHECKED,
            )
            for tenant in tenants
        }


@pytest.fixture
def client(clients: Clients) -> httpx2.AsyncClient:
    """The tenant `acme`, whose account is empty."""
    return clients["acme"]


@pytest.fixture(scope="session")
def offline_app() -> FastAPI:
    """A gateway whose platform must not be called: any attempt fails the test."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"{request.method} {request.url.path} reached the platform")

    return make_app([make_tenant()], httpx2.MockTransport(refuse))


@pytest.fixture
async def offline(offline_app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the gateway whose platform must not be called."""
    async with client_of(offline_app) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _logging() -> None:
    """Log as the service does; the unconfigured logger would print local variables."""
    configure_logging("DEBUG", StringIO())


@pytest.fixture(scope="session")
def _valkey_server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def valkey(_valkey_server: ValkeyServer) -> ValkeyServer:
    """An empty Valkey server; a test that stops it must use one of its own."""
    with _valkey_server.client() as client:
        client.flushall()
    return _valkey_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL server that makes empty databases."""
    with postgres_server() as databases:
        yield databases


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, one of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    databases: Databases = request.getfixturevalue("postgres")
    return databases.make()
