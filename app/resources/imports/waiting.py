"""Waiting for the platform to work off an import."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import Request

from app.resources.imports.schemas import Import

_GROWTH = 1.5
_LONGEST = 5.0


async def wait_for(request: Request, read: Callable[[], Awaitable[Import]], seconds: float, poll: float) -> Import:
    """Read an import until it is worked off, time is up or the client has left; returns what was read last.

    Args:
        request: the client's.
        read: reads the import.
        seconds: how long to wait.
        poll: seconds before it is read again; they grow with every reading.
    """
    now = asyncio.get_running_loop().time
    end = now() + seconds
    found = await read()
    while found.status == "processing" and now() < end:
        if await _has_left(request, min(poll, end - now())):
            break
        poll = min(poll * _GROWTH, _LONGEST)
        found = await read()
    return found


async def _has_left(request: Request, seconds: float) -> bool:
    """Watch a client, whose request has no body, for some seconds, or until it leaves."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
