"""The keys and channels of the cache in the shared store.

Tokens, marks and channels carry no version, so that gateways of different versions obey each other's writes; entries
do, so that neither reads the other's. The keys of one command do not share a hash slot: a cluster cannot hold them.
"""

import hashlib
from collections.abc import Iterable

from app.policies.cache.sealing import FORMAT
from app.policies.cache.store import Stamp

_PREFIX = "umail:cache"
EVERYTHING = f"{_PREFIX}:everything"
INVALIDATIONS = f"{_PREFIX}:invalidations"
REPLICAS = f"{_PREFIX}:replicas"


def replica_channel(replica: str) -> str:
    """Return the channel on which one replica is addressed."""
    return f"{_PREFIX}:replica:{replica}"


def tenant_key(name: str) -> str:
    """Return the key of a tenant's token."""
    return f"{_PREFIX}:tenant:{name}"


def tag_keys(name: str, tags: Iterable[str]) -> list[str]:
    """Return the keys of the tokens of a tenant's tags."""
    return [f"{_PREFIX}:tag:{name}:{tag}" for tag in tags]


def mark_keys(name: str, tags: Iterable[str]) -> list[str]:
    """Return the keys under which it stands who is writing a tenant's tags."""
    return [f"{_PREFIX}:writers:{name}:{tag}" for tag in tags]


def token_keys(name: str, tags: Iterable[str]) -> list[str]:
    """Return the keys of all tokens that an answer depends on, in the order of a stamp."""
    return [EVERYTHING, tenant_key(name), *tag_keys(name, tags)]


def entry_key(name: str, key: str) -> str:
    """Return the key of an entry."""
    return f"{_PREFIX}:entry:{FORMAT.decode()}:{name}:{key}"


def lock_key(name: str, key: str, stamp: Stamp) -> str:
    """Return the key of the lock on fetching an entry under certain tokens."""
    return f"{_PREFIX}:lock:{name}:{key}:{hashlib.sha256(b''.join(stamp)).hexdigest()[:32]}"
