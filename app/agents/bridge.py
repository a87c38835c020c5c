"""From standard input and output to a gateway's `/mcp`: what a client asks is asked there, with a key."""

from typing import Any

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from app import __version__
from app.api.problems import MEDIA_TYPE

_PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
_SECONDS = 660.0
"""Longer than the longest of the gateway's own deadlines."""


class GatewayUnusable(Exception):
    """The gateway does not answer, or not as one that has tools."""


async def run_bridge(url: str, key: str) -> None:
    """Answer one client until it closes its end.

    Raises:
        GatewayUnusable: the gateway cannot be asked.
    """
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(_SECONDS, connect=10.0)) as http:
        await _try(http, url)
        async with (
            Client(streamable_http_client(url, http_client=http), cache=None) as gateway,
            stdio_server() as (read, write),
        ):
            server = _server(gateway)
            await server.run(read, write, server.create_initialization_options())


async def _try(http: httpx2.AsyncClient, url: str) -> None:
    """Ask for nothing much: of a refusal the library tells no more than that there was one."""
    try:
        response = await http.post(url, json=_PING, headers={"Accept": "application/json, text/event-stream"})
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise GatewayUnusable(f"{url} cannot be reached: {error}.") from None
    if response.status_code != 200:
        is_problem = response.headers.get("content-type") == MEDIA_TYPE
        detail = response.json()["detail"] if is_problem else "It is no gateway, or one without tools for agents."
        raise GatewayUnusable(f"{url} answers {response.status_code}: {detail}")


def _server(gateway: Client) -> Server[Any]:
    async def list_tools(_ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return await gateway.list_tools(cursor=_cursor(params))

    async def call_tool(_ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await gateway.call_tool(params.name, params.arguments)

    async def list_resources(_ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        return await gateway.list_resources(cursor=_cursor(params))

    async def read_resource(_ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return await gateway.read_resource(str(params.uri))

    async def list_prompts(_ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return await gateway.list_prompts(cursor=_cursor(params))

    async def get_prompt(_ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return await gateway.get_prompt(params.name, params.arguments)

    return Server(
        "umail-gateway",
        version=__version__,
        title="U-Mail Gateway",
        instructions=gateway.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def _cursor(params: types.PaginatedRequestParams | None) -> str | None:
    return params.cursor if params else None
