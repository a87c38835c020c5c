"""Locks by name, for what must not overlap."""

from app.policies.locks.local import LocalLocks
from app.policies.locks.models import LockUnavailable, Name, NamedLocks, Possession

__all__ = ["LocalLocks", "LockUnavailable", "Name", "NamedLocks", "Possession"]
