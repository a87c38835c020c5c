"""Commands that are given at the same time travel together: one round trip and one connection for all of them."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from app.storage.patience import Patience

_MOST_COMMANDS = 128
_ENOUGH_BYTES = 262_144
_MOST_BATCHES = 4

Argument = bytes | str | int


class Script:
    """A Lua script and the digest by which the store remembers it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class _Command:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Argument]
    reply: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, reply: Any) -> None:
        if self.reply.done():
            return
        if isinstance(reply, BaseException):
            self.reply.set_exception(reply)
        else:
            self.reply.set_result(reply)


class Batches:
    """Runs scripts, many at a time.

    A burst of commands is no more than a few pipelines to the store, so that it is not the gateway's own queue that
    makes the store look slow.

    Args:
        client: a connection to the store.
        timeout: seconds that a batch may take; a command that waits behind one that failed fails with it.
    """

    def __init__(self, client: Redis, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._waiting: deque[_Command] = deque()
        self._senders: set[asyncio.Task[None]] = set()

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Return what a script replies.

        Raises:
            RedisError, OSError, TimeoutError: the store cannot be used, or refused the script.
        """
        command = _Command(script, keys, arguments)
        self._waiting.append(command)
        if len(self._senders) < _MOST_BATCHES:
            sender = asyncio.get_running_loop().create_task(self._send_waiting())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await command.reply

    async def aclose(self) -> None:
        """Wait until what was given has been sent, or could not be."""
        await asyncio.gather(*self._senders)

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                async with Patience(self._timeout):
                    replies = await self._replies(batch)
            except Exception as error:  # noqa: BLE001 - those who wait get it
                replies = [error] * (len(batch) + len(self._waiting))
                batch += self._waiting
                self._waiting.clear()
            for command, reply in zip(batch, replies, strict=True):
                command.settle(reply)

    def _next_batch(self) -> list[_Command]:
        batch: list[_Command] = []
        size = 0
        while self._waiting and len(batch) < _MOST_COMMANDS and size < _ENOUGH_BYTES:
            command = self._waiting.popleft()
            size += sum(len(each) for each in command.arguments if isinstance(each, bytes))
            batch.append(command)
        return batch

    async def _replies(self, batch: Sequence[_Command]) -> list[Any]:
        replies = await self._execute([("EVALSHA", each.script.digest, each) for each in batch])
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await self._execute([("EVAL", batch[index].script.text, batch[index]) for index in unknown])
            for index, reply in zip(unknown, again, strict=True):
                replies[index] = reply
        return replies

    async def _execute(self, commands: Sequence[tuple[str, str, _Command]]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for verb, script, command in commands:
                pipeline.execute_command(verb, script, len(command.keys), *command.keys, *command.arguments)
            return list(await pipeline.execute(raise_on_error=False))
