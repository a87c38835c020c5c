"""What is done in the shared store, each in one round trip and as a whole.

The tokens of a stamp live at least ten minutes after their last use, and never shorter than an entry read under them.
One that expires or is evicted comes back as another, so its entries are lost, never revived.
"""

from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from app.policies.cache.batches import Argument, Batches, Script
from app.policies.cache.invalidations import Invalidation
from app.policies.cache.keys import INVALIDATIONS, REPLICAS
from app.policies.cache.store import Lease, Stamp, new_token

_TOKEN_MS = 600_000
MEMORY = 5.0
"""Seconds for which a replica that has fallen silent is waited for; then it is taken for dead."""
_MEMORY_MS = int(MEMORY * 1000)
_REPLICAS_MS = 60_000

_NOW = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# How many replicas but the one that asks have fallen silent: it knows itself whether it has missed anything.
_SILENT = """
local function silent(key, moment, memory, replica)
  local since = moment - memory
  local count = redis.call('ZCOUNT', key, string.format('(%.0f', since), string.format('(%.0f', moment))
  if count == 0 then return 0 end
  local own = tonumber(redis.call('ZSCORE', key, replica) or moment)
  return own > since and own < moment and count - 1 or count
end
"""

# KEYS: the entry, replicas, tokens, marks. ARGV: number of tokens, a new token, a token's life, the replica.
_LOOK = Script(f"""{_NOW}{_SILENT}
local count = tonumber(ARGV[1])
local moment = now()
local writers = 0
for i = count + 3, #KEYS do
  if redis.call('ZCOUNT', KEYS[i], string.format('(%.0f', moment), '+inf') > 0 then writers = 1 end
end
local others = silent(KEYS[2], moment, {_MEMORY_MS}, ARGV[4])
local found = {{writers + others == 0 and redis.call('GET', KEYS[1]), writers, others}}
for i = 3, count + 2 do
  local token = redis.call('GET', KEYS[i])
  if not token then
    token = ARGV[2]
    redis.call('SET', KEYS[i], token, 'PX', ARGV[3])
  elseif redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
  found[#found + 1] = token
end
return found
""")

# KEYS: the entry, the lock, tokens. ARGV: the lock's token, the entry, its life, expected tokens.
_PUT = Script("""
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
for i = 3, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 1] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
for i = 3, #KEYS do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
end
return 1
""")

# KEYS: tokens, marks. ARGV: channel, message, number of tokens, new token, its life, the writer, its time or 0.
_RENEW = Script(f"""{_NOW}
local count = tonumber(ARGV[3])
for i = 1, count do redis.call('SET', KEYS[i], ARGV[4], 'PX', ARGV[5]) end
local time = tonumber(ARGV[7])
for i = count + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now()))
  if time == 0 then
    redis.call('ZREM', KEYS[i], ARGV[6])
  else
    redis.call('ZADD', KEYS[i], string.format('%.0f', now() + time), ARGV[6])
    if redis.call('PTTL', KEYS[i]) < time then redis.call('PEXPIRE', KEYS[i], ARGV[7]) end
  end
end
return redis.call('PUBLISH', ARGV[1], ARGV[2])
""")

# KEYS: replicas. ARGV: the replica, until when it has promised to be heard of, channel, message.
_BEAT = Script(f"""{_NOW}{_SILENT}
local moment = now()
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', moment - {_MEMORY_MS}))
redis.call('PEXPIRE', KEYS[1], {_REPLICAS_MS})
redis.call('PUBLISH', ARGV[3], ARGV[4] .. ' ' .. silent(KEYS[1], moment, {_MEMORY_MS}, ARGV[1]))
return string.format('%.0f', moment)
""")

_LOCK = Script("return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0")
_RELEASE = Script("return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0")


class Found(NamedTuple):
    """What stands in the shared store: a sealed entry, whether a tag is being written, or a replica silent, tokens."""

    sealed: bytes | None
    writing: bool
    silent: bool
    stamp: Stamp


class Scripts:
    """The cache's commands; each raises one of `app.storage.valkey.UNAVAILABLE` if the store cannot be used.

    Args:
        client: a connection to the store.
        timeout: seconds that one may take.
    """

    def __init__(self, client: Redis, timeout: float) -> None:
        self._client = client
        self._batches = Batches(client, timeout)
        self.aclose = self._batches.aclose

    async def look(self, entry: str, tokens: Sequence[str], marks: Sequence[str], replica: str) -> Found:
        """Read an entry and its tokens for a replica; tokens that are missing are made."""
        keys = [entry, REPLICAS, *tokens, *marks]
        found = await self._batches.run(_LOOK, keys, [len(tokens), new_token(), _TOKEN_MS, replica])
        return Found(found[0], bool(found[1]), bool(found[2]), tuple(found[3:]))

    async def put(
        self,
        entry: str,
        lock: Lease,
        tokens: Sequence[str],
        stamp: Stamp,
        sealed: bytes,
        seconds: float,
    ) -> bool:
        """Store an entry for a time, if the tokens are still these; give up the lock either way."""
        arguments: list[Argument] = [lock.token, sealed, _ms(seconds), *stamp]
        return bool(await self._batches.run(_PUT, [entry, lock.name, *tokens], arguments))

    async def renew(
        self, tokens: Sequence[str], marks: Sequence[str], writer: str, seconds: float, invalidation: Invalidation
    ) -> int:
        """Replace tokens, set a writer's marks for so many seconds or, with 0, remove them, and tell everyone.

        Returns:
            how many replicas were told.
        """
        time = _ms(seconds) if seconds else 0
        arguments: list[Argument] = [
            INVALIDATIONS,
            invalidation.encode(),
            len(tokens),
            new_token(),
            _TOKEN_MS,
            writer,
            time,
        ]
        return int(await self._batches.run(_RENEW, [*tokens, *marks], arguments))

    async def beat(self, replica: str, until: int, channel: str, message: str) -> int:
        """Put down until when a replica has promised to be heard of, and publish a message.

        Args:
            replica: which.
            until: Unix time in milliseconds by the store's clock.
            channel: where to.
            message: what; to it is added how many others are silent: they broke their promise within the last
                `MEMORY` seconds.

        Returns:
            the store's time, in milliseconds.
        """
        # Four times a second, and not to be kept waiting by what else there is to do: as text, by itself.
        return int(await self._client.eval(_BEAT.text, 1, REPLICAS, replica, until, channel, message))

    async def part(self, replica: str) -> None:
        """Release a replica from its promise."""
        await self._client.zrem(REPLICAS, replica)

    async def lock(self, lock: Lease, seconds: float) -> bool:
        """Take a lock for so many seconds at most, unless another has it."""
        return bool(await self._batches.run(_LOCK, [lock.name], [lock.token, _ms(seconds)]))

    async def release(self, lock: Lease) -> bool:
        """Give up a lock; tell whether it was still one's own."""
        return bool(await self._batches.run(_RELEASE, [lock.name], [lock.token]))


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
