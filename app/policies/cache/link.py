"""A replica's link to the others: it hears of invalidations, confirms them, and knows whether it hears everything."""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from app.policies.cache.health import Health
from app.policies.cache.invalidations import Invalidation, Receipts
from app.policies.cache.keys import INVALIDATIONS, replica_channel
from app.policies.cache.level import Level
from app.state.patience import Patience
from app.state.valkey import UNAVAILABLE

_BEAT = 0.25
TRUST = 0.8
"""Seconds for which a replica trusts its own answers after it last knew that it hears everything."""
_PATIENCE = 2.0


class Deaf(ConnectionError):
    """Messages are accepted by the store and do not come back."""


class Link:
    """Keeps the process's answers in step with what other replicas write.

    The replica sends itself a message every quarter of a second. Messages keep their order, so when one comes back,
    every invalidation before it has been obeyed; without one sent in the last 0.8 seconds the process's answers are
    not trusted. The same beat finds out whether a store that failed can be used again.

    Args:
        client: a connection to the shared store.
        health: what is known of the store.
        level: the process's answers.
        timeout: seconds that a command may take.
        make_up: makes everything in the store invalid.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        client: Redis,
        health: Health,
        level: Level,
        *,
        timeout: float,
        make_up: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._health = health
        self._level = level
        self._timeout = timeout
        self._make_up = make_up
        self._clock = clock
        self._due: asyncio.Queue[Invalidation] = asyncio.Queue()
        self._trusted_until = -math.inf
        self._unanswered_since: float | None = None
        self._ending = False
        self.replica = secrets.token_hex(8)
        """Tells this replica from the others."""
        self.receipts = Receipts()
        """What this replica waits for others to confirm."""

    def trusted(self) -> bool:
        """Tell whether every invalidation of more than a moment ago has been heard of."""
        return self._clock() < self._trusted_until

    @asynccontextmanager
    async def running(self, failed: Callable[[str], None]) -> AsyncIterator[None]:
        """Keep up the link while the context is open; it begins when the first attempt has succeeded or failed."""
        attempted = asyncio.Event()
        self._ending = False
        keeping = asyncio.create_task(self._keep_up(failed, attempted))
        try:
            await attempted.wait()
            yield
        finally:
            # A task group that is cancelled while one of its tasks fails reports the failure only.
            self._ending = True
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _keep_up(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        while not self._ending:
            await self._keep_up_once(failed, attempted)
            await asyncio.sleep(self._health.seconds_to_retry())

    async def _keep_up_once(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        try:
            async with self._subscribed() as messages:
                self._level.clear()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(messages, attempted))
                    tasks.create_task(self._confirm())
                    tasks.create_task(self._beat(failed, attempted))
        except* UNAVAILABLE:
            failed("subscribe")
        finally:
            self._trusted_until = -math.inf
            self._health.lost()
            attempted.set()

    @asynccontextmanager
    async def _subscribed(self) -> AsyncIterator[PubSub]:
        async with aclosing(self._client.pubsub()) as messages:
            # One by one, the one on which others may speak last: no message comes between the confirmations.
            for channel in (replica_channel(self.replica), INVALIDATIONS):
                async with Patience(self._timeout):
                    await messages.subscribe(channel)
                    await messages.get_message(timeout=None)
            self._unanswered_since = None
            yield messages

    async def _listen(self, messages: PubSub, attempted: asyncio.Event) -> None:
        while True:
            message = await messages.get_message(timeout=None)
            if message is None or message["type"] != "message":
                # The client has subscribed again by itself; what was said in between is lost.
                raise Deaf
            if message["channel"] == INVALIDATIONS.encode():
                self._obey(message["data"])
                continue
            kind, _, content = message["data"].decode().partition(" ")
            if kind == "beat":
                self._heard(float(content))
                self._settle(attempted)
            else:
                self.receipts.confirmed(content)

    def _obey(self, message: bytes) -> None:
        try:
            invalidation = Invalidation.decode(message)
        except ValueError:
            # A later version may say what this one does not understand: then anything may be meant.
            self._level.clear()
            return
        if invalidation.tenant is None:
            self._level.clear()
        else:
            self._level.renew(invalidation.tenant, invalidation.tags)
        if invalidation.sender == self.replica:
            self.receipts.confirmed(invalidation.id)
        elif invalidation.confirm:
            self._due.put_nowait(invalidation)

    def _heard(self, sent: float) -> None:
        if not self.trusted():
            self._level.clear()
        self._trusted_until = sent + TRUST
        self._unanswered_since = None

    async def _confirm(self) -> None:
        while True:
            due = [await self._due.get()]
            while not self._due.empty():
                due.append(self._due.get_nowait())
            with suppress(*UNAVAILABLE):
                async with Patience(self._timeout), self._client.pipeline(transaction=False) as pipeline:
                    for invalidation in due:
                        pipeline.publish(replica_channel(invalidation.sender), f"obeyed {invalidation.id}")
                    await pipeline.execute()

    async def _beat(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        while True:
            if self._health.seconds_to_retry() <= 0:
                await self._pulse(failed, attempted)
            await asyncio.sleep(_BEAT)

    async def _pulse(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        sent = self._clock()
        try:
            async with Patience(self._timeout):
                await self._probe(sent)
        except UNAVAILABLE:
            self._health.failed()
            failed("heartbeat")
            attempted.set()
        else:
            self._settle(attempted)
            self._check_hearing(sent)

    async def _probe(self, sent: float) -> None:
        moment = self._health.moment
        await self._client.publish(replica_channel(self.replica), f"beat {sent!r}")
        self._health.reached(moment)
        if self._health.distrusted:
            moment = self._health.moment
            await self._make_up()
        self._health.made_up(moment)

    def _settle(self, attempted: asyncio.Event) -> None:
        if self.trusted() and self._health.up:
            attempted.set()

    def _check_hearing(self, sent: float) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = sent
        elif sent - self._unanswered_since > _PATIENCE:
            raise Deaf
