"""What a process remembers of tenants and keys, and the lookups under way."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from app.tenants.models import Tenant
from app.tenants.store import Identity

UNKNOWN_SECONDS = 5.0
"""For how long it is remembered that nobody has a key or an id; any change of any tenant ends it."""

Question = tuple[Literal["key", "tenant"], str]
"""What was asked: whose key has this hash, or which tenant has this id."""
Answer = Identity | Tenant | None


@dataclass(frozen=True, slots=True)
class Version:
    """A tenant as it was read, and a stamp that it would not have had with any other contents."""

    tenant: Tenant
    stamp: object


class Remembered:
    """Answers by their questions, the least recently used leaving first.

    Questions that nobody could answer are kept apart, so that guessing pushes out nothing.
    """

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._answers: OrderedDict[Question, Identity | Tenant] = OrderedDict()
        self._unknown: OrderedDict[Question, float] = OrderedDict()
        self._asked: defaultdict[str, set[Question]] = defaultdict(set)
        self._versions: OrderedDict[str, Version] = OrderedDict()
        self.epoch = 0
        """Grows whenever something is forgotten; what was read before must not be remembered after."""

    def recall(self, question: Question) -> tuple[bool, Answer]:
        answer = self._answers.get(question)
        if answer is not None:
            self._answers.move_to_end(question)
            return True, answer
        until = self._unknown.get(question)
        return until is not None and self._monotonic() < until, None

    def remember(self, question: Question, answer: Answer) -> None:
        if answer is None:
            self._unknown[question] = self._monotonic() + UNKNOWN_SECONDS
            if len(self._unknown) > self._most:
                self._unknown.popitem(last=False)
            return
        self._answers[question] = answer
        self._asked[_tenant_id(answer)].add(question)
        if len(self._answers) > self._most:
            self._drop(*self._answers.popitem(last=False))

    def version(self, tenant_id: str) -> Version | None:
        """Return the tenant as it was read last, which may not be how it is now."""
        return self._versions.get(tenant_id)

    def read(self, version: Version) -> None:
        """Keep a tenant as it was read."""
        self._versions[version.tenant.id] = version
        self._versions.move_to_end(version.tenant.id)
        if len(self._versions) > self._most:
            self._versions.popitem(last=False)

    def forget(self, tenant_id: str) -> None:
        """Forget every answer about a tenant, and what nobody could answer, which may concern it by now."""
        self.epoch += 1
        self._unknown.clear()
        for question in self._asked.pop(tenant_id, ()):
            del self._answers[question]

    def forget_all(self) -> None:
        """Forget everything but the tenants' versions."""
        self.epoch += 1
        for memory in (self._unknown, self._answers, self._asked):
            memory.clear()

    def _drop(self, question: Question, answer: Identity | Tenant) -> None:
        tenant_id = _tenant_id(answer)
        self._asked[tenant_id].discard(question)
        if not self._asked[tenant_id]:
            del self._asked[tenant_id]


def _tenant_id(answer: Identity | Tenant) -> str:
    return answer.tenant.id if isinstance(answer, Identity) else answer.id


K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flights(Generic[K, T]):
    """The lookups under way."""

    def __init__(self) -> None:
        self._current: dict[K, asyncio.Task[T]] = {}

    async def join(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` brings, begun now or by another; one who is cancelled takes no other along."""
        task = self._current.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._current[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def leave(self) -> None:
        """Let nobody join the lookups that have begun by now."""
        self._current.clear()

    def _landed(self, key: K, task: asyncio.Task[T]) -> None:
        if self._current.get(key) is task:
            del self._current[key]
        # Asked for, so that a failure nobody waits for any more is not reported as overlooked.
        with suppress(asyncio.CancelledError):
            task.exception()
