"""The bridge for agents' clients that speak over standard input and output only."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.starting import fail

app = typer.Typer(rich_markup_mode=None)


@app.command()
def mcp(
    url: Annotated[str, typer.Option(help="The gateway's URL, as https://gateway.example/mcp.")],
    key_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the API key; without it the key is in UMAIL_GATEWAY_KEY."),
    ] = None,
) -> None:
    """Offer a gateway's tools over standard input and output, for agents that speak nothing else (MCP, stdio)."""
    from app.agents.bridge import GatewayUnusable, run_bridge  # noqa: PLC0415 - only this command needs the library

    at = url.rstrip("/").removesuffix("/mcp") + "/mcp"
    try:
        asyncio.run(run_bridge(at, _key(key_file)))
    except GatewayUnusable as error:
        fail(str(error), code=1)


def _key(file: Path | None) -> str:
    if file is None:
        key = os.environ.get("UMAIL_GATEWAY_KEY", "")
    else:
        try:
            key = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"The key file {file} cannot be read: {error}.")
    if not key.strip():
        fail("There is no API key: name a file with --key-file, or set UMAIL_GATEWAY_KEY.")
    return key.strip()
