"""Following logs of events: one question for all who wait in this process."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import structlog

from app.errors import DatabaseError, StateUnavailable
from app.storage.database.database import Database
from app.storage.events import log as event_log
from app.storage.events import watching
from app.storage.events.log import LoggedEvent
from app.tasks import beside

log = structlog.get_logger(__name__)

_WANTED_SECONDS = 86_400.0
_SAID_AGAIN_AFTER = 3600.0
_AT_ONCE = 500


class EventFeed:
    """Reads the tenants' events, now or as they come.

    Args:
        database: where they are.
        poll: seconds between two questions whether there are new ones.
    """

    def __init__(self, database: Database, *, poll: float = 0.5) -> None:
        self._database = database
        self._poll = poll
        self._followers: dict[str, set[Follower]] = {}
        self._said: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow while the context is open; the database must be."""
        async with beside(self._follow()):
            yield

    async def read(self, tenant: str, after: int, types: Collection[str], limit: int) -> list[LoggedEvent]:
        """Return the next events after a number.

        Raises:
            StateUnavailable: the database cannot be used.
        """
        try:
            return await self._database.read(partial(event_log.reading, tenant, after, types, limit))
        except DatabaseError:
            raise _unavailable() from None

    async def want(self, tenant: str, requests_per_minute: int) -> None:
        """Have a tenant's account watched for a day.

        Raises:
            StateUnavailable: the database cannot be used.
        """
        now = asyncio.get_running_loop().time()
        if now - self._said.get(tenant, float("-inf")) < _SAID_AGAIN_AFTER:
            return
        try:
            await self._database.write(
                partial(watching.wanting, tenant, seconds=_WANTED_SECONDS, requests_per_minute=requests_per_minute)
            )
        except DatabaseError:
            raise _unavailable() from None
        self._said[tenant] = now

    async def last(self, tenant: str) -> int:
        """Return the number of a tenant's last event.

        Raises:
            StateUnavailable: the database cannot be used.
        """
        try:
            return (await self._database.read(partial(event_log.last_numbers, [tenant]))).get(tenant, 0)
        except DatabaseError:
            raise _unavailable() from None

    @contextmanager
    def following(self, tenant: str) -> Iterator["Follower"]:
        """Have somebody told of a tenant's new events while the context is open."""
        follower = Follower()
        self._followers.setdefault(tenant, set()).add(follower)
        try:
            yield follower
        finally:
            followers = self._followers[tenant]
            followers.discard(follower)
            if not followers:
                del self._followers[tenant]

    def count(self, tenant: str | None = None) -> int:
        """Return how many follow a tenant's events, or any."""
        if tenant is not None:
            return len(self._followers.get(tenant, ()))
        return sum(map(len, self._followers.values()))

    async def _follow(self) -> None:
        reachable = True
        while True:
            await asyncio.sleep(self._poll)
            try:
                tenants = list(self._followers)
                for start in range(0, len(tenants), _AT_ONCE):
                    some = tenants[start : start + _AT_ONCE]
                    self._tell(await self._database.read(partial(event_log.last_numbers, some)))
                reachable = True
            except DatabaseError as error:
                if reachable:
                    log.warning("events_not_followed", reason=str(error))
                reachable = False
            except Exception:
                log.exception("events_not_followed")

    def _tell(self, last: dict[str, int]) -> None:
        for tenant, number in last.items():
            for follower in self._followers.get(tenant, ()):
                follower.tell(number)


class Follower:
    """Somebody who waits for a tenant's events."""

    def __init__(self) -> None:
        self._last = 0
        self._told = asyncio.Event()

    def tell(self, number: int) -> None:
        """Say how far the log has got."""
        if number > self._last:
            self._last = number
            self._told.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news; tell whether there are any."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True


def _unavailable() -> StateUnavailable:
    return StateUnavailable("The log of events cannot be used at the moment.", headers={"Retry-After": "5"})
