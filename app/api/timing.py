"""Time in headers: how much of it a client gives a request, and where it went."""

import asyncio
import re

from app.api.entrance.head import RequestHead
from app.errors import MalformedRequest
from app.gateway.context import RequestContext

_SECONDS = re.compile(rb"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_LISTED = 10


def set_deadline(context: RequestContext, head: RequestHead) -> None:
    """Note how long the client is willing to wait, if it says so in `Request-Timeout`, in seconds.

    Raises:
        MalformedRequest: the header is no positive number of seconds.
    """
    given = head.get(b"request-timeout")
    if given is None:
        return
    seconds = float(given) if _SECONDS.fullmatch(given.strip()) else 0.0
    if seconds <= 0:
        raise MalformedRequest("Request-Timeout must be a positive number of seconds, like 2.5.")
    context.deadline = asyncio.get_running_loop().time() + seconds


def server_timing(context: RequestContext, seconds: float) -> str:
    """Write where the time went, for `Server-Timing`: a metric for each call to the platform, and the whole."""
    calls = [
        f'upstream;dur={call.seconds * 1000:.1f};desc="{call.operation} {call.outcome} try {call.attempt}"'
        for call in context.upstream_calls[:_LISTED]
    ]
    return ", ".join([*calls, f"total;dur={seconds * 1000:.1f}"])
