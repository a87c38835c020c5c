"""Connections to Valkey or Redis, and scripts that travel together."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

log = structlog.get_logger(__name__)

UNAVAILABLE = (RedisError, OSError, TimeoutError)
"""What a command raises when the store cannot be used, whatever the reason."""

Argument = bytes | str | int

_MOST_COMMANDS = 128
_ENOUGH_BYTES = 262_144
_MOST_PIPELINES = 4


def connect(url: str, *, timeout: float, connections: int = 64) -> Redis:
    """Return a client that connects on first use, waits at most `timeout` seconds, and never repeats a command."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Redis.from_pool(pool)


async def answers(client: Redis) -> bool:
    """Tell whether the store can be used."""
    try:
        await client.ping()
    except UNAVAILABLE:
        return False
    return True


async def warn_if_unbounded(client: Redis) -> None:
    """Log a warning for a store that neither evicts nor has a bound; one that cannot be asked is not judged."""
    try:
        memory = await client.info("memory")
    except UNAVAILABLE:
        return
    if memory.get("maxmemory_policy") == "noeviction" and not memory.get("maxmemory"):
        log.warning("state_store_unbounded", advice="set maxmemory, and maxmemory-policy to allkeys-lru")


class Script:
    """A Lua script, and the digest by which the server knows it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Command:
    def __init__(self, parts: tuple[Argument, ...]) -> None:
        self.parts = parts
        self.reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(self, reply: Any) -> None:
        if self.reply.done():
            return
        if isinstance(reply, BaseException):
            self.reply.set_exception(reply)
        else:
            self.reply.set_result(reply)


class Scripts:
    """Runs Lua scripts and commands; those given at the same time share a round trip and a connection.

    A server forgets its scripts when it restarts, even if it restores its data from a snapshot. Before such a server
    is used, `outdated` keys are deleted in the same step that loads the scripts.
    """

    def __init__(
        self, client: Redis, scripts: Sequence[Script], *, timeout: float, outdated: Sequence[str] = ()
    ) -> None:
        self._client = client
        self._scripts = scripts
        self._timeout = timeout
        self._outdated = outdated
        self._waiting: deque[_Command] = deque()
        self._senders: set[asyncio.Task[None]] = set()
        self._loading = asyncio.Lock()
        self._loaded = 0

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Return what a script replies; raise one of `UNAVAILABLE` if it cannot be run."""
        loaded = self._loaded
        parts = "EVALSHA", script.digest, len(keys), *keys, *arguments
        try:
            return await self.execute(*parts)
        except NoScriptError:
            async with self._loading:
                if loaded == self._loaded:
                    await self._load()
            return await self.execute(*parts)

    async def execute(self, *parts: Argument) -> Any:
        """Return what a command replies; raise one of `UNAVAILABLE` if it cannot be carried out."""
        command = _Command(parts)
        self._waiting.append(command)
        if len(self._senders) < _MOST_PIPELINES:
            sender = asyncio.get_running_loop().create_task(self._send_waiting())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await command.reply

    async def aclose(self) -> None:
        """Wait until what was given has been sent, or could not be."""
        await asyncio.gather(*self._senders)

    async def _load(self) -> None:
        deletion = [("UNLINK", *self._outdated)] if self._outdated else []
        await self._pipelined([*deletion, *[("SCRIPT LOAD", each.text) for each in self._scripts]], check=True)
        self._loaded += 1

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                replies = await self._pipelined([command.parts for command in batch])
            except Exception as error:  # noqa: BLE001 - those who wait get it; whoever waits behind them would get it too
                batch += self._waiting
                self._waiting.clear()
                replies = [error] * len(batch)
            for command, reply in zip(batch, replies, strict=True):
                command.settle(reply)

    def _next_batch(self) -> list[_Command]:
        batch: list[_Command] = []
        size = 0
        while self._waiting and len(batch) < _MOST_COMMANDS and size < _ENOUGH_BYTES:
            command = self._waiting.popleft()
            size += sum(len(each) for each in command.parts if isinstance(each, bytes))
            batch.append(command)
        return batch

    async def _pipelined(self, commands: Sequence[tuple[Argument, ...]], *, check: bool = False) -> list[Any]:
        async with asyncio.timeout(self._timeout), self._client.pipeline(transaction=False) as pipeline:
            for parts in commands:
                pipeline.execute_command(*parts)
            return list(await pipeline.execute(raise_on_error=check))
