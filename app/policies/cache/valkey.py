"""The store that workers and replicas share.

An entry is stored with the versions it was read under: of everything, of its tenant, of each of its tags. A version
that is missing, because it was deleted, evicted or has expired, comes back as another, never as itself; so deleting a
version invalidates all that was read under it. A cluster cannot run the scripts: their keys do not share a hash slot.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.policies.cache.model import WRITING, CacheEntry, CacheKey, Lookup, Usage, is_writing
from app.policies.cache.sealing import FORMAT, Sealer, Sealers, Unsealable
from app.storage.valkey import UNAVAILABLE, Argument, Script, Scripts
from app.tenants.vault import MasterKey

T = TypeVar("T")

_PREFIX = "umail:cache"
_EVERYTHING = f"{_PREFIX}:everything"
_VERSION_MS = 600_000
_RETRY_SECONDS = 0.25
_GRACE_SECONDS = 1.0
"""For so long after an outage nothing is served: replicas that missed an invalidation make up for it meanwhile."""
_MOST_MISSED = 1000

# KEYS: the entry, its versions. ARGV: a new version, its life. Returns the entry and the versions.
_LOOK = Script("""
local found = redis.call('MGET', unpack(KEYS))
for i = 2, #KEYS do
  if not found[i] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    found[i] = ARGV[1]
  end
end
return found
""")

# KEYS: the entry, the tenant's index and its size, versions. ARGV: the entry, its life, the tenant's share, versions.
# The index holds each entry and its size in the order in which they expire. It may be evicted: it then begins anew.
_PUT = Script("""
for i, version in ipairs(redis.call('MGET', unpack(KEYS, 4))) do
  if version ~= ARGV[3 + i] then return 0 end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local used = redis.call('EXISTS', KEYS[2]) == 1 and tonumber(redis.call('GET', KEYS[3]))
if not used then
  redis.call('UNLINK', KEYS[2])
  used = 0
end
local function forget(member)
  if redis.call('ZREM', KEYS[2], member) == 1 then used = used - tonumber(string.match(member, '%d+$')) end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do forget(member) end
local replaced = redis.call('STRLEN', KEYS[1])
if replaced > 0 then forget(KEYS[1] .. ' ' .. replaced) end
used = used + #ARGV[1]
while used > tonumber(ARGV[3]) do
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not first then break end
  redis.call('UNLINK', string.match(first, '^%S+'))
  forget(first)
end
local life = tonumber(ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', life)
redis.call('ZADD', KEYS[2], now + life, KEYS[1] .. ' ' .. #ARGV[1])
local lasting = math.max(life, redis.call('PTTL', KEYS[2]))
redis.call('PEXPIRE', KEYS[2], lasting)
redis.call('SET', KEYS[3], used, 'PX', lasting)
for i = 4, #KEYS do
  if redis.call('PTTL', KEYS[i]) < life then redis.call('PEXPIRE', KEYS[i], life) end
end
return 1
""")

# KEYS: versions. ARGV: a new version, its life. A store that is full can still delete.
_BEGIN = Script("""
for _, key in ipairs(KEYS) do
  if redis.pcall('SET', key, ARGV[1], 'PX', ARGV[2]).err then redis.call('UNLINK', key) end
end
""")


class ValkeyStore:
    """A `CacheStore` on Valkey or Redis.

    After a failure nothing is looked up or stored until the store has answered again, whatever invalidations this
    replica missed have been made up for, and a moment has passed in which other replicas do the same.
    """

    def __init__(
        self,
        client: Redis,
        master_key: MasterKey,
        *,
        failed: Callable[[str], None],
        tenant_bytes: int,
        timeout: float = 0.25,
        largest: int = 524_288,
    ) -> None:
        self._scripts = Scripts(client, (_LOOK, _PUT, _BEGIN), timeout=timeout, outdated=[_EVERYTHING])
        self._sealers = Sealers(master_key)
        self._failed = failed
        self._tenant_bytes = tenant_bytes
        self._largest = min(largest, tenant_bytes)
        self._missed: set[str] = set()
        self._failures = 0
        self._recovery: asyncio.Task[None] | None = None

    def usage(self) -> Usage:
        return Usage(0, 0, 0)

    async def look(self, key: CacheKey) -> Lookup:
        if self._recovery is not None:
            return Lookup(None, None)
        sealer = self._sealers.of(key.tenant)
        name, failures = _entry_key(sealer, key), self._failures
        keys, new = [name, *_version_keys(sealer, key)], _new_version()
        found = await self._attempt("read", lambda: self._scripts.run(_LOOK, keys, [new, _VERSION_MS]))
        if found is None or failures != self._failures:
            return Lookup(None, None)
        sealed, stamp = found[0], tuple(found[1:])
        entry = None if sealed is None or is_writing(stamp) else self._opened(sealer, name, sealed, stamp)
        return Lookup(entry, stamp, shared=True)

    async def put(self, key: CacheKey, lookup: Lookup, entry: CacheEntry, seconds: float) -> bool:
        if self._recovery is not None or lookup.stamp is None:
            return False
        sealer, stamp = self._sealers.of(key.tenant), lookup.stamp
        name = _entry_key(sealer, key)
        sealed = sealer.seal(name, entry, stamp)
        if len(sealed) > self._largest:
            return False
        index = f"{_PREFIX}:index:{sealer.name}"
        keys = [name, index, f"{index}:bytes", *_version_keys(sealer, key)]
        arguments: list[Argument] = [sealed, _ms(seconds), self._tenant_bytes, *stamp]
        return bool(await self._attempt("store", lambda: self._scripts.run(_PUT, keys, arguments)))

    async def begin_write(self, tenant: str, tags: tuple[str, ...], seconds: float) -> None:
        if self._recovery is not None:
            return
        keys, mark = list(_tag_keys(self._sealers.of(tenant), tags)), WRITING + _new_version()
        await self._attempt("invalidate", lambda: self._scripts.run(_BEGIN, keys, [mark, _ms(seconds)]))

    async def end_write(self, tenant: str, tags: tuple[str, ...]) -> None:
        sealer = self._sealers.of(tenant)
        await self._invalidate(_tag_keys(sealer, tags), _tenant_key(sealer))

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        if tenant is None:
            await self._invalidate([_EVERYTHING], _EVERYTHING)
            return
        sealer = self._sealers.of(tenant)
        everything = _tenant_key(sealer)
        await self._invalidate([everything] if tag is None else _tag_keys(sealer, [tag]), everything)

    async def aclose(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
        await self._scripts.aclose()

    async def _invalidate(self, keys: Iterable[str], missed: str) -> None:
        """Delete versions; while that cannot be done, remember what is to be deleted in their place."""
        if await self._attempt("invalidate", lambda: self._scripts.execute("UNLINK", *keys), refusable=False) is None:
            self._missed.add(missed if len(self._missed) < _MOST_MISSED else _EVERYTHING)

    async def _attempt(self, action: str, command: Callable[[], Awaitable[T]], *, refusable: bool = True) -> T | None:
        """Return what a command replies, or None; begin to recover unless a working store merely refused it."""
        try:
            return await command()
        except UNAVAILABLE as error:
            self._failed(action)
            if not (refusable and isinstance(error, ResponseError)):
                self._failures += 1
                self._recovery = self._recovery or asyncio.get_running_loop().create_task(self._recover())
            return None

    async def _recover(self) -> None:
        back = False
        while not back:
            await asyncio.sleep(_RETRY_SECONDS)
            back = await self._is_back()
        self._recovery = None

    async def _is_back(self) -> bool:
        failures, missed = self._failures, frozenset(self._missed)
        try:
            await self._scripts.execute("UNLINK", *(missed or [f"{_PREFIX}:probe"]))
        except UNAVAILABLE:
            return False
        self._missed -= missed
        await asyncio.sleep(_GRACE_SECONDS)
        return failures == self._failures and not self._missed

    def _opened(self, sealer: Sealer, name: str, sealed: bytes, stamp: tuple[bytes, ...]) -> CacheEntry | None:
        try:
            entry, stored_under = sealer.open(name, sealed)
        except Unsealable:
            self._failed("decrypt")
            return None
        return entry if stored_under == stamp else None


def _entry_key(sealer: Sealer, key: CacheKey) -> str:
    # Versions of the gateway that write entries differently do not read each other's, but obey each other's writes.
    return f"{_PREFIX}:entry:{FORMAT.decode()}:{sealer.name}:{key.digest}"


def _tenant_key(sealer: Sealer) -> str:
    return f"{_PREFIX}:tenant:{sealer.name}"


def _tag_keys(sealer: Sealer, tags: Iterable[str]) -> list[str]:
    return [f"{_PREFIX}:tag:{sealer.name}:{tag}" for tag in tags]


def _version_keys(sealer: Sealer, key: CacheKey) -> list[str]:
    return [_EVERYTHING, _tenant_key(sealer), *_tag_keys(sealer, key.tags)]


def _new_version() -> bytes:
    return secrets.token_hex(12).encode()


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
