"""Whatever is done, a journal in a database answers as one in memory does."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.storage.database.database import Database
from app.storage.journal.database import DatabaseJournal
from app.storage.journal.memory import MemoryJournal
from app.storage.journal.models import Duplicate, Journal, NewAttempt
from tests.support.attempts import START, Clock, make_attempt

TENANTS = st.sampled_from(["acme", "rival"])
OPERATIONS = st.sampled_from(["campaigns.create", "messages.submit"])
TIMES = st.integers(0, 20).map(lambda minutes: START + timedelta(minutes=minutes))
TEXTS = st.sampled_from(["a", "b"])
IDS = st.integers(0, 8).map(str)
ATTEMPTS = st.builds(
    make_attempt,
    tenant=TENANTS,
    operation=OPERATIONS,
    fingerprint=TEXTS,
    idempotency_key=st.none() | TEXTS,
)
STEPS = st.one_of(
    st.tuples(st.just("open"), st.tuples(ATTEMPTS)),
    st.tuples(st.just("open_guarded"), st.tuples(ATTEMPTS, TIMES)),
    st.tuples(st.just("confirm"), st.tuples(IDS, TEXTS)),
    st.tuples(st.sampled_from(["refuse", "unknown"]), st.tuples(IDS, TEXTS)),
    st.tuples(st.just("find"), st.tuples(TENANTS, TEXTS)),
    st.tuples(st.sampled_from(["references", "unresolved"]), st.tuples(TENANTS, OPERATIONS, TIMES)),
    st.tuples(st.just("forget"), st.tuples(st.just(START + timedelta(minutes=2)))),
)


async def take(journal: Journal, method: str, arguments: tuple[Any, ...]) -> object:
    """Take one step and return the answer, or what stood in the way."""
    try:
        if method == "open_guarded":
            return await journal.open_guarded(arguments[0], unless_since=arguments[1])
        return await getattr(journal, method)(*arguments)
    except Duplicate as duplicate:
        return type(duplicate), duplicate.earlier


def numbered(arguments: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """Give the attempt among the arguments, if there is one, an id by which later steps find it."""
    return tuple(replace(each, id=str(number)) if isinstance(each, NewAttempt) else each for each in arguments)


async def compare(steps: list[tuple[str, tuple[Any, ...]]]) -> None:
    """Take steps in both journals and compare the answers."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = Database(f"sqlite:///{folder}/gateway.db")
        await stack.enter_async_context(database.running())
        one, other = MemoryJournal(clock), DatabaseJournal(database, clock)
        opened = 0
        for method, given_ in steps:
            arguments = numbered(given_, opened)
            opened += method.startswith("open")
            assert await take(one, method, arguments) == await take(other, method, arguments), (method, arguments)
            clock.advance(minutes=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_alike(steps: list[tuple[str, tuple[Any, ...]]]) -> None:
    asyncio.run(compare(steps))
