"""Events as a stream (server-sent events), which goes on from any event."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import tzinfo

from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.responses import ResponseAborted
from app.errors import GatewayError
from app.storage.events.feed import EventFeed, Follower
from app.storage.events.log import LoggedEvent

_BATCH = 100


class EventStream(Response):
    """Sends a tenant's events as they come, until the client leaves, may not read them any more, or the gateway ends.

    Args:
        feed: gives the events.
        tenant: whose.
        after: the number of the event that they follow.
        types: which, all if there are none.
        zone: of the times.
        admitted: tells whether the client may still read them; asked before anything is sent.
        begun: called once the stream has begun, so that it counts among requests no more.
        ending: tells whether the gateway is about to end.
        heart_beat: seconds in which nothing happens after which a comment is sent.
        look_up: seconds after which the stream sees that the client is not admitted any more, or the gateway ends.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        feed: EventFeed,
        tenant: str,
        after: int,
        types: Collection[str],
        *,
        zone: tzinfo,
        admitted: Callable[[], Awaitable[bool]],
        begun: Callable[[], None],
        ending: Callable[[], bool],
        heart_beat: float = 15.0,
        look_up: float = 1.0,
    ) -> None:
        self._feed = feed
        self._tenant = tenant
        self._after = after
        self._types = types
        self._zone = zone
        self._admitted = admitted
        self._begun = begun
        self._ending = ending
        self._heart_beat = heart_beat
        self._look_up = look_up
        self.status_code = 200
        self.background = None
        # Proxies that gather answers would keep events back.
        self.init_headers({"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"})

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Stream.

        Raises:
            ResponseAborted: the log cannot be read any more.
        """
        with self._feed.following(self._tenant) as follower:
            streaming = asyncio.create_task(self._stream(follower, send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait({streaming, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if streaming.done():
                    await streaming
            finally:
                streaming.cancel()
                leaving.cancel()
                await asyncio.gather(streaming, leaving, return_exceptions=True)

    async def _stream(self, follower: Follower, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._begun()
        await _write(send, b"retry: 2000\n\n")
        try:
            await self._events(follower, send)
        except GatewayError as error:
            raise ResponseAborted(error.code, error.detail) from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self, follower: Follower, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        news, quiet_since = True, clock()
        while not self._ending() and await self._admitted():
            while news:
                events = await self._feed.read(self._tenant, self._after, self._types, _BATCH)
                if not events:
                    break
                if not await self._admitted():
                    return
                await _write(send, b"".join(map(self._written, events)))
                self._after, quiet_since = events[-1].number, clock()
            if clock() - quiet_since >= self._heart_beat:
                await _write(send, b": still here\n\n")
                quiet_since = clock()
            news = await follower.wait(self._look_up)

    def _written(self, event: LoggedEvent) -> bytes:
        return format_sse_event(data_str=event.json(self._zone).decode(), event=event.type, id=event.id)


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
