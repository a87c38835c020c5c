"""Clocks, and a note of what breakers do."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.breakers import Changes
from tests.support.clocks import Clock, ruling
from tests.support.valkey import ValkeyServer


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
async def ruling_clock(clock: Clock) -> AsyncIterator[Clock]:
    """The clock of the event loop: time passes in it only when it is moved."""
    with ruling(clock):
        yield clock


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server of the test's own, running."""
    made = ValkeyServer()
    made.start()
    yield made
    made.resume()
    made.close()
