"""Whatever happens in whatever order, a read never shows less than the writes that had ended when it began."""

import asyncio
import itertools
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.policies.cache.memory import MemoryStore
from app.policies.cache.model import CacheEntry, CacheKey, Windows
from tests.policies.cache.conftest import LOCAL_BYTES, Clock, Platform, Replica, make_entry, replica_of, replica_on
from tests.support.valkey import ValkeyServer

TAGS = ("lists", "contacts")
TENANTS = (f"tenant-{number}" for number in itertools.count())
SHORT_LIVED = Windows(fresh=2, stale_while_revalidate=2, stale_if_error=4)


@dataclass
class World:
    """A platform with a version per tag, the replicas in front of it, and what is under way.

    What a read sees is decided when the platform is asked; when it is told is up to the steps.
    """

    replicas: list[Replica]
    clock: Clock
    tenant: str = field(default_factory=lambda: next(TENANTS))
    versions: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    answers: list[asyncio.Event] = field(default_factory=list)
    reads: list["asyncio.Task[None]"] = field(default_factory=list)
    writes: list[tuple[asyncio.Event, "asyncio.Task[None]"]] = field(default_factory=list)

    async def fetch(self) -> CacheEntry:
        """CacheEntry with the versions of this moment, once a step says so."""
        seen = ",".join(str(self.versions[tag]) for tag in TAGS)
        answer = make_entry(seen, self.clock(), windows=SHORT_LIVED)
        self.answers.append(told := asyncio.Event())
        await told.wait()
        return answer

    async def read(self, replica: Replica, tags: tuple[str, ...]) -> None:
        """Read, and hold the answer against the writes that had ended before."""
        ended = dict(self.ended)
        served = await replica.cache.read(CacheKey(self.tenant, "f" * 64, tags), self.fetch)
        versions = dict(zip(TAGS, map(int, served.entry.body.split(b",")), strict=True))
        for tag in tags:
            assert versions[tag] >= ended.get(tag, 0), (served, ended)

    async def write(self, replica: Replica, tag: str, leave: asyncio.Event) -> None:
        """Change a tag at some moment of a write whose end a step decides."""
        async with replica.cache.changing(self.tenant, [tag], 60):
            await leave.wait()
            self.versions[tag] += 1
            version = self.versions[tag]
        self.ended[tag] = max(self.ended[tag], version)

    async def take(self, step: str, which: int) -> None:
        """Take one step."""
        replica, tag = self.replicas[which % len(self.replicas)], TAGS[which % 2]
        if step == "read":
            tags = (TAGS, (tag,))[which % 3 == 0]
            self.reads.append(asyncio.create_task(self.read(replica, tags)))
        elif step == "answer" and self.answers:
            self.answers.pop(which % len(self.answers)).set()
        elif step == "write":
            leave = asyncio.Event()
            self.writes.append((leave, asyncio.create_task(self.write(replica, tag, leave))))
        elif step == "leave" and self.writes:
            leave, writing = self.writes.pop(which % len(self.writes))
            leave.set()
            if which % 4:
                await writing
        elif step == "purge":
            await replica.cache.purge(self.tenant, tag)
        elif step == "wait":
            self.clock.advance(1)
        await asyncio.sleep(0.002 if which % 2 else 0)

    async def finish(self) -> None:
        """Let everything end, and raise what went wrong."""
        for leave, _ in self.writes:
            leave.set()
        await asyncio.gather(*(writing for _, writing in self.writes))
        while pending := [read for read in self.reads if not read.done()]:
            for told in self.answers:
                told.set()
            self.answers.clear()
            await asyncio.wait(pending, timeout=0.01)
        await asyncio.gather(*self.reads)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["read", "read", "read", "answer", "answer", "write", "leave", "leave", "purge", "wait"]),
        st.integers(0, 11),
    ),
    max_size=40,
)


async def play(steps: list[tuple[str, int]], server: ValkeyServer | None, replicas: int) -> None:
    """Take the steps over a store."""
    platform = Platform(Clock())
    async with AsyncExitStack() as stack:
        if server is None:
            running = [await stack.enter_async_context(replica_on(MemoryStore(LOCAL_BYTES), platform))]
        else:
            made = [replica_of(server, platform) for _ in range(replicas)]
            running = [await stack.enter_async_context(each) for each in made]
        world = World(running, platform.now)
        async with asyncio.timeout(20):
            for step, which in steps:
                await world.take(step, which)
            await world.finish()
        assert [failure for each in running for failure in each.observer.failures] == []


@given(STEPS)
def test_in_one_process(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps, None, 1))


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_across_replicas(valkey: ValkeyServer, steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps, valkey, 2))
