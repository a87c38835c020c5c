"""Agents' official client in front of a gateway on a socket, and the sandbox behind it."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest_asyncio
from mcp.client.client import Client, ConnectMode
from mcp.client.streamable_http import streamable_http_client

from app.sandbox import Account, Sandbox
from app.tenants.models import ApiKey, Scope
from app.tenants.store import hash_key
from tests.support.running import make_app
from tests.support.sockets import served
from tests.support.tenants import make_smtp, make_tenant

Answer = dict[str, Any]


@dataclass(frozen=True)
class Agents:
    """A gateway that agents can reach, and what stands behind it."""

    port: int
    sandbox: Sandbox
    audit: Path

    def client(self, key: str = "every", mode: ConnectMode = "auto") -> AbstractAsyncContextManager[Client]:
        """Return the official client with a key: `every`, the name of a scope, `ann` or `bob`."""
        return connected(self.port, f"umg_{key}", mode)

    def entries(self) -> list[Answer]:
        """Return what the audit log has been told since the last look."""
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        self.audit.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@asynccontextmanager
async def connected(port: int, key: str, mode: ConnectMode = "auto") -> AsyncIterator[Client]:
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        async with (
            httpx2.AsyncClient(headers={"X-API-Key": key}, timeout=30) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            yield client
    except BaseExceptionGroup as group:
        raise single(group) from None


def single(error: BaseException) -> BaseException:
    """Return what the client's task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def key_with(name: str, scopes: frozenset[Scope]) -> ApiKey:
    return ApiKey(id=name, sha256=hash_key(f"umg_{name}"), scopes=scopes)


KEYS = (
    key_with("every", frozenset(Scope)),
    key_with("ann", frozenset(Scope)),
    key_with("bob", frozenset(Scope)),
    *(key_with(each.value, frozenset({each})) for each in Scope),
)


@asynccontextmanager
async def agents_of(folder: Path, **fields: Any) -> AsyncIterator[Agents]:
    """Run a gateway of the tenant `seeded`; fields are the tenant's."""
    account = Account(username="seeded", password="seeded-password", role="customer", seeded=True)
    async with Sandbox(accounts=[account], smtp=True) as sandbox:
        tenant = make_tenant(
            tenant_id="seeded",
            base_url=sandbox.base_url,
            password=account.password,
            keys=KEYS,
            smtp=make_smtp(sandbox.smtp_port or 0, username="news@seeded.example", password="sandbox"),
            **fields,
        )
        audit = folder / "audit.jsonl"
        async with served(make_app([tenant], audit_log=str(audit), duplicate_window=10)) as port:
            yield Agents(port, sandbox, audit)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: Any) -> AsyncIterator[Agents]:
    """One gateway for a module."""
    async with agents_of(tmp_path_factory.mktemp("agents")) as made:
        yield made


class PlainClient:
    """Writes calls of tools as HTTP, which is quicker than the official client."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def call(self, tool: str, **arguments: Any) -> Answer:
        """Return a tool's result."""
        params = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        response = await self._http.post("/mcp", json=body)
        assert response.status_code == 200, response.text
        result: Answer = response.json()["result"]
        return result


@asynccontextmanager
async def plain_client(agents: Agents, key: str = "every") -> AsyncIterator[PlainClient]:
    headers = {"Accept": "application/json, text/event-stream", "X-API-Key": f"umg_{key}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{agents.port}", headers=headers, timeout=30) as http:
        yield PlainClient(http)


async def call(client: Client, tool: str, **arguments: Any) -> Answer:
    """Call a tool that is to succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.structured_content
    assert json.loads(text_of(result)) == result.structured_content
    found: Answer = result.structured_content
    return found


async def refused(client: Client, tool: str, **arguments: Any) -> Answer:
    """Call a tool that is to be refused; returns the problem."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    found: Answer = result.structured_content
    assert json.loads(text_of(result)) == found
    assert {"code", "status", "title", "detail", "request_id"} <= set(found)
    return found


def text_of(result: types.CallToolResult) -> str:
    """Return a result's text."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text
