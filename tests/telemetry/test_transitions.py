"""What changes for the worse or the better is one log line each way, with what follows from it."""

import asyncio
import ssl
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from sqlalchemy import make_url
from structlog.testing import capture_logs

from app.policies.breaker import BreakerKey, CircuitState
from app.storage.database.database import Database
from app.telemetry.audit_log import AuditFile, AuditLog
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.destinations import Destinations
from app.tenants.jwks import ProviderKeys
from app.tenants.vault import generate_master_key
from app.upstream.pool import ConnectionPool, Origin
from tests.support.clocks import Clock
from tests.support.platform import FakePlatform, xml_reply
from tests.support.postgres import Databases
from tests.support.proxies import proxied
from tests.support.running import client_of, make_app
from tests.support.sockets import until
from tests.support.tenants import make_tenant
from tests.support.valkey import ValkeyServer
from tests.telemetry.test_audit_log import ENTRY

LISTS = "<maillist><item><id>1</id><subject>a</subject><status>enabled</status></item></maillist>"
REFUSED = xml_reply("", status=401)

Lines = list[MutableMapping[str, Any]]


def told(lines: Lines) -> list[tuple[str, str]]:
    """Return what a pager would see."""
    return [(line["event"], line["log_level"]) for line in lines if line["log_level"] not in {"debug", "info"}]


def happened(lines: Lines, event: str) -> bool:
    """Tell whether an event has been logged."""
    return any(line["event"] == event for line in lines)


async def test_outages_of_store_and_database_leave_four_lines(postgres: Databases) -> None:
    store = ValkeyServer()
    store.start()
    url = make_url(postgres.make())
    async with proxied(Path(str(url.query["host"])) / ".s.PGSQL.5432") as proxy:
        app = make_app(
            [make_tenant()],
            FakePlatform([xml_reply(LISTS)]).transport,
            database=Database(f"postgresql://postgres@127.0.0.1:{proxy.port}/{url.database}"),
            state_url=store.url,
            state_timeout=2.0,
            master_key=generate_master_key(),
        )
        async with client_of(app) as client:
            await client.get("/v1/lists")
            with capture_logs() as lines:
                for stop, start, name in (
                    (store.stop, store.start, "store"),
                    (proxy.stop, proxy.start, "database"),
                ):
                    stop()
                    for _ in range(5):
                        assert (await client.get("/v1/lists")).status_code == 200
                    await until(partial(happened, lines, f"{name}_lost"))
                    if (begun := start()) is not None:
                        await begun
                    await until(partial(happened, lines, f"{name}_back"))
    store.close()
    assert told(lines) == [
        ("store_lost", "warning"),
        ("store_back", "warning"),
        ("database_lost", "error"),
        ("database_back", "warning"),
    ]
    assert all("consequence" in line for line in lines if str(line["event"]).endswith("_lost"))
    assert all("outage_seconds" in line for line in lines if str(line["event"]).endswith("_back"))


async def test_a_refused_login_is_told_when_it_is_paused_and_when_it_is_taken() -> None:
    platform = FakePlatform([xml_reply(LISTS), *[REFUSED] * 3, xml_reply(LISTS)])
    app = make_app([make_tenant()], platform.transport, login_refusals=3, login_pause=0.01)
    async with client_of(app) as client:
        await client.get("/v1/lists")
        with capture_logs() as lines:
            await client.get("/v1/lists")
            await until_read(client)
    assert told(lines) == [("login_paused", "warning"), ("login_taken", "warning")]
    assert {line["tenant"] for line in lines if line["event"] == "login_paused"} == {"acme"}


async def until_read(client: httpx2.AsyncClient) -> None:
    """Read until it is allowed."""
    while (await client.get("/v1/lists")).status_code != 200:
        pass


@pytest.mark.parametrize(("tenant", "level"), [(None, "error"), ("acme", "warning")])
def test_a_breaker_is_told_of_with_its_platform(tenant: str | None, level: str) -> None:
    key = BreakerKey("http://platform.example/", tenant and "login", tenant)
    observer = TelemetryObserver(Metrics())
    with capture_logs() as lines:
        for before, after in (
            (CircuitState.CLOSED, CircuitState.OPEN),
            (CircuitState.OPEN, CircuitState.HALF_OPEN),
            (CircuitState.HALF_OPEN, CircuitState.OPEN),
            (CircuitState.OPEN, CircuitState.HALF_OPEN),
            (CircuitState.HALF_OPEN, CircuitState.CLOSED),
        ):
            observer.breaker_changed(key, before, after)
    assert told(lines) == [("breaker_open", level), ("breaker_closed", "warning")]
    assert [line["event"] for line in lines if line["log_level"] == "info"] == [
        "breaker_half_open",
        "breaker_open",
        "breaker_half_open",
    ]
    assert {(line["platform"], line["tenant"]) for line in lines} == {("http://platform.example/", tenant)}


async def test_keys_of_tokens_that_cannot_be_fetched() -> None:
    clock = Clock()
    answers: list[bytes | OSError] = [b'{"keys": []}', *[ConnectionError("HTTP 500")] * 3, b'{"keys": []}']

    async def fetch() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    keys = ProviderKeys(fetch, lifetime=60, pause=10, clock=clock)
    with capture_logs() as lines:
        while answers:
            await keys.find("one")
            clock.now += 60
    assert told(lines) == [("token_keys_lost", "error"), ("token_keys_back", "warning")]
    assert lines[0]["reason"] == "HTTP 500"


def test_an_audit_log_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    trail = AuditLog(AuditFile(folder / "audit"), on_failure=lambda: None)
    with capture_logs() as lines:
        for there in (True, False, False, True, True):
            if there != folder.exists():
                folder.rename(tmp_path / "gone") if folder.exists() else folder.mkdir()
            trail.record(ENTRY)
    assert told(lines) == [("audit_log_lost", "error"), ("audit_log_back", "warning")]
    assert lines[-1]["entries_lost"] == 2


async def test_a_certificate_that_is_not_trusted() -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=theirs)
    contexts = [ssl.create_default_context(), ours]
    pool = ConnectionPool(Destinations(), connections=1, tls=lambda: contexts[0])
    origin = Origin("https", "localhost", server.sockets[0].getsockname()[1])
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                await pool.open(origin)
        # An operator adds the authority, and the context is made anew.
        pool._context = ours
        for _ in range(2):
            pool.release(await pool.open(origin), origin)
    pool.close()
    server.close()
    assert told(lines) == [("certificate_refused", "error"), ("certificate_trusted", "warning")]
