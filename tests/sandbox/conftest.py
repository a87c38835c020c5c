"""A sandbox on a real socket, with a clock that only moves when a test says so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import xmltodict

from app.sandbox import Account, Sandbox
from app.sandbox.operations import OPERATIONS

Fetch = Callable[..., Awaitable[httpx2.Response]]
Ask = Callable[..., Awaitable[dict[str, Any]]]

START = datetime(2026, 11, 22, 5, 4, 5, tzinfo=UTC)
SCRIPTS = {do or script: script for script, do in OPERATIONS}
ACCOUNTS = (
    Account("acme", "secret"),
    Account("demo", "pässwort", seeded=True),
    Account("other", "other-secret", seeded=True),
    Account("boss", "boss-secret", role="manager"),
)
REPEATED = {
    ("address_log", "data"),
    ("addr", "data"),
    ("attachment", "attachments"),
    ("click", "data"),
    ("data", "domain_list"),
    ("data", "mailbox_list"),
    ("domain", "domain_list"),
    ("item", "listes"),
    ("item", "maillist"),
    ("link", "data"),
    ("link", "link_statistic"),
    ("list", "data"),
    ("recipient", "fail_recipient_list"),
    ("subject", "template"),
    ("task", "data"),
    ("task", "task_list"),
    ("template", "template_list"),
    ("template", "templates"),
    ("user", "data"),
}


class Hands:
    """A clock with hands that tests move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def later(hands: Hands) -> Callable[..., None]:
    """Move the clock: ``later(minutes=5)``."""

    def move(**amount: float) -> None:
        hands.now += timedelta(**amount)

    return move


@pytest.fixture
async def sandbox(hands: Hands) -> AsyncIterator[Sandbox]:
    async with Sandbox(ACCOUNTS, hands, smtp=True) as running:
        yield running


@pytest.fixture
async def web(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without credentials, at the sandbox's origin."""
    async with httpx2.AsyncClient(base_url=sandbox.origin, trust_env=False) as client:
        yield client


def _fetch_as(web: httpx2.AsyncClient, username: str) -> Fetch:
    password = next(account.password for account in ACCOUNTS if account.username == username)
    token = httpx2.BasicAuth(username.encode(), password.encode())

    async def fetch(
        operation: str,
        form: dict[str, str] | None = None,
        files: list[tuple[str, tuple[str, bytes]]] | None = None,
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> httpx2.Response:
        script = SCRIPTS[operation]
        parameters = {name.rstrip("_"): str(value) for name, value in query.items()}
        if script != operation:
            parameters["do"] = operation
        return await web.request(
            "GET" if form is None and files is None else "POST",
            f"/mm-ms/apinew/{script}.php",
            params=parameters,
            data=form,
            files=files,
            headers=headers,
            auth=token,
        )

    return fetch


def _ask_with(fetch: Fetch) -> Ask:
    async def ask(operation: str, **arguments: Any) -> dict[str, Any]:
        response = await fetch(operation, **arguments)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        (content,) = xmltodict.parse(response.text, force_list=_is_repeated).values()
        return content if isinstance(content, dict) else {}

    return ask


def _is_repeated(path: Any, key: str, _value: Any) -> bool:
    return bool(path) and (key, path[-1][0]) in REPEATED


@pytest.fixture
def fetch(web: httpx2.AsyncClient) -> Fetch:
    """Call an operation as ``acme``, an account that starts empty; answers the response."""
    return _fetch_as(web, "acme")


@pytest.fixture
def fetch_demo(web: httpx2.AsyncClient) -> Fetch:
    """Call an operation as ``demo``, a seeded account; answers the response."""
    return _fetch_as(web, "demo")


@pytest.fixture
def ask(fetch: Fetch) -> Ask:
    """Call an operation as ``acme``; answers the content of the reply's root element."""
    return _ask_with(fetch)


@pytest.fixture
def ask_demo(fetch_demo: Fetch) -> Ask:
    """Call an operation as ``demo``."""
    return _ask_with(fetch_demo)


@pytest.fixture
def ask_boss(web: httpx2.AsyncClient) -> Ask:
    """Call an operation as ``boss``, a manager."""
    return _ask_with(_fetch_as(web, "boss"))
