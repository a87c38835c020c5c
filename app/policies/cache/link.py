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
from app.policies.cache.scripts import Scripts
from app.storage.patience import Patience
from app.storage.valkey import UNAVAILABLE

_BEAT = 0.25
TRUST = 0.8
"""Seconds for which a replica trusts its own answers after it last knew that it hears everything."""
LEASE = 1.0
"""Seconds for which a replica promises to be heard of after the moment that it last knew the store's time."""
_PATIENCE = 2.0


class Deaf(ConnectionError):
    """Messages are accepted by the store and do not come back."""


class Link:
    """Keeps the process's answers in step with what other replicas write.

    The replica sends itself a message every quarter of a second. Messages keep their order, so when one comes back,
    every invalidation before it has been obeyed; without one sent in the last 0.8 seconds the process's answers are
    not trusted. The same beat finds out whether a store that failed can be used again.

    With it the replica promises to be heard of for another second after what the store's clock showed at the beat
    before, so that one which arrives late promises nothing. One that breaks the promise may be writing unheard: no
    answer is trusted until it is back and has made up for that, or has been silent for 5 seconds and is taken for dead.
    What remains is a replica that is alive and, alone, cut off from the store for longer.

    Args:
        client: a connection to the shared store.
        scripts: the commands for it.
        health: what is known of the store.
        level: the process's answers.
        timeout: seconds that a command may take.
        make_up: makes everything in the store invalid.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        client: Redis,
        scripts: Scripts,
        health: Health,
        level: Level,
        *,
        timeout: float,
        make_up: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._scripts = scripts
        self._health = health
        self._level = level
        self._timeout = timeout
        self._make_up = make_up
        self._clock = clock
        self._due: asyncio.Queue[Invalidation] = asyncio.Queue()
        self._trusted_until = -math.inf
        self._all_heard = True
        self._unanswered_since: float | None = None
        self._store_ms, self._seen_at = 0, -math.inf
        self._noticed_at = -math.inf
        self._found = asyncio.Event()
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
            self._ending, known = True, self._health.reachable
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            if known:
                await self._part()

    async def found_again(self) -> bool:
        """Wait until the store is reached again or everybody has noticed this replica's silence; tell whether it is."""
        self._found.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._noticed_at - self._clock()):
                await self._found.wait()
        return self._found.is_set()

    async def _part(self) -> None:
        with suppress(*UNAVAILABLE):
            async with Patience(self._timeout):
                await self._scripts.part(self.replica)

    async def _keep_up(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        while not self._ending:
            await self._keep_up_once(failed, attempted)
            await asyncio.sleep(self._health.seconds_to_retry())

    async def _keep_up_once(self, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
        try:
            async with self._subscribed() as messages:
                self._level.clear()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(messages, failed, attempted))
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

    async def _listen(self, messages: PubSub, failed: Callable[[str], None], attempted: asyncio.Event) -> None:
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
                self._heard(content, failed)
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

    def _heard(self, beat: str, failed: Callable[[str], None]) -> None:
        sent, _, silent = beat.partition(" ")
        self._all_heard = silent == "0"
        if not self._all_heard:
            failed("silence")
        if not self._all_heard or not self.trusted():
            self._level.clear()
        self._trusted_until = float(sent) + TRUST if self._all_heard else -math.inf
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
        if self._health.distrusted or not self._health.reachable or self._clock() - self._seen_at > TRUST:
            seconds, microseconds = await self._client.time()
            self._see(seconds * 1000 + microseconds // 1000)
        self._health.reached(moment)
        if self._health.distrusted:
            moment = self._health.moment
            await self._make_up()
        if self._health.moment == moment:
            await self._promise(sent)
            self._found.set()
        self._health.made_up(moment)

    async def _promise(self, sent: float) -> None:
        self._noticed_at = self._seen_at + LEASE + TRUST
        until = self._store_ms + int(LEASE * 1000)
        self._see(await self._scripts.beat(self.replica, until, replica_channel(self.replica), f"beat {sent!r}"))

    def _see(self, store_ms: int) -> None:
        self._store_ms, self._seen_at = store_ms, self._clock()

    def _settle(self, attempted: asyncio.Event) -> None:
        if not self._all_heard or (self.trusted() and self._health.up):
            attempted.set()

    def _check_hearing(self, sent: float) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = sent
        elif sent - self._unanswered_since > _PATIENCE:
            raise Deaf
