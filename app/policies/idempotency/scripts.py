"""What Valkey does in one step; a record is a hash of its holder's token, the end of its lease and what is sealed.

Times are the server's own, so that clocks of replicas do not matter.
"""

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from app.policies.idempotency.models import StoreUnavailable
from app.storage.valkey import UNAVAILABLE

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_WRITE = """
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', now + ARGV[2], 'sealed', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""

_CREATE = f"""{_NOW}
if redis.call('EXISTS', KEYS[1]) == 1 then
  local found = redis.call('HMGET', KEYS[1], 'until', 'sealed')
  return {{(tonumber(found[1]) or 0) <= now and 1 or 0, found[2]}}
end
{_WRITE}
return false
"""
"""Writes a record where there is none, or returns whether the lease of the one there is over, and what is sealed."""

_READ = f"""{_NOW}
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local found = redis.call('HMGET', KEYS[1], 'until', 'sealed')
return {{(tonumber(found[1]) or 0) <= now and 1 or 0, found[2]}}
"""
"""Returns whether the lease is over, and what is sealed, if there is a record."""

_WRITE_HELD = f"""{_NOW}
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
{_WRITE}
return 1
"""
"""Writes if the holder is the same."""

_TAKE_OVER = f"""{_NOW}
local found = redis.call('HMGET', KEYS[1], 'until', 'sealed')
if found[2] ~= ARGV[5] or (tonumber(found[1]) or 0) > now then return 0 end
{_WRITE}
return 1
"""
"""Writes, with a new holder, if nothing was written or renewed since what is sealed was read."""

_RENEW = f"""{_NOW}
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Renews the lease if the holder is the same."""

_CLEAR = """
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
"""Deletes if the holder is the same."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long a record lasts.

    Args:
        lease: seconds until its holder counts as dead.
        retention: seconds until it is forgotten.
    """

    lease: float
    retention: float

    def milliseconds(self) -> tuple[int, int]:
        """Return both in milliseconds, at least one."""
        return max(1, int(self.lease * 1000)), max(1, int(self.retention * 1000))


@dataclass(frozen=True, slots=True)
class Present:
    """What stands in a record's place.

    Args:
        expired: whether its lease is over.
        sealed: what is sealed.
    """

    expired: bool
    sealed: bytes


class Scripts:
    """The steps as methods; all raise `StoreUnavailable` if the server cannot be used.

    Args:
        client: the connections to the server.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._create = client.register_script(_CREATE)
        self._read = client.register_script(_READ)
        self._write_held = client.register_script(_WRITE_HELD)
        self._take_over = client.register_script(_TAKE_OVER)
        self._renew = client.register_script(_RENEW)
        self._clear = client.register_script(_CLEAR)

    async def create(self, name: str, holder: str, times: Times, sealed: bytes) -> Present | None:
        """Write a record where there is none, or return what is there."""
        return _present(await self._run(self._create, name, holder, *times.milliseconds(), sealed))

    async def read(self, name: str) -> Present | None:
        """Return what is there."""
        return _present(await self._run(self._read, name))

    async def write_held(self, name: str, holder: str, times: Times, sealed: bytes) -> bool:
        """Write, and renew the lease, if the holder is the same; tell whether it was."""
        return bool(await self._run(self._write_held, name, holder, *times.milliseconds(), sealed))

    async def take_over(self, name: str, holder: str, times: Times, sealed: bytes, *, present: bytes) -> bool:
        """Write with a new holder if the lease is over and `present` is still sealed there; tell whether it was so."""
        return bool(await self._run(self._take_over, name, holder, *times.milliseconds(), sealed, present))

    async def renew(self, name: str, holder: str, times: Times) -> bool:
        """Renew the lease if the holder is the same; tell whether it was."""
        return bool(await self._run(self._renew, name, holder, *times.milliseconds()))

    async def clear(self, name: str, holder: str) -> bool:
        """Delete if the holder is the same; tell whether it was."""
        return bool(await self._run(self._clear, name, holder))

    async def _run(self, script: Any, name: str, *arguments: str | int | bytes) -> Any:
        try:
            return await script(keys=[name], args=arguments)
        except UNAVAILABLE as failure:
            raise unavailable(failure) from None


def unavailable(failure: Exception) -> StoreUnavailable:
    """Return the error for a server that cannot be used."""
    return StoreUnavailable(f"The store of idempotency keys cannot be used: {type(failure).__name__}.")


def _present(reply: list[Any] | None) -> Present | None:
    if reply is None:
        return None
    expired, sealed = reply
    return Present(bool(expired), sealed or b"")
