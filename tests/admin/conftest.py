"""A gateway that keeps its tenants in a database, in front of the sandbox."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.main import create_app
from app.sandbox import Sandbox
from app.tenants.vault import generate_master_key
from tests.support.running import client_of, make_settings

TOKEN = "operators-token-of-forty-characters-here"
Create = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The operators' client, on each kind of database in turn."""
    settings = make_settings(
        tenants_url="database", database_url=database_url, master_key=generate_master_key(), admin_token=TOKEN
    )
    async with client_of(create_app(settings), key=TOKEN) as client:
        yield client


@pytest.fixture
def acme(sandbox: Sandbox) -> dict[str, Any]:
    """A tenant to be added, whose login the sandbox accepts."""
    upstream = {"base_url": sandbox.base_url, "username": "acme", "password": "密码:acme"}
    return {"id": "acme", "name": "Acme Ltd", "upstream": upstream}


async def make_key(admin: httpx2.AsyncClient, **fields: Any) -> str:
    """Make a key of `acme` and return it."""
    made = await admin.post("/admin/v1/tenants/acme/keys", json={"id": "web", "scopes": ["read"], **fields})
    assert made.status_code == 201, made.text
    return str(made.json()["key"])
