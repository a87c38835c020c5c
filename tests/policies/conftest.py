"""Clocks, and a note of what breakers do."""

from collections.abc import AsyncIterator

import pytest

from tests.support.breakers import Changes
from tests.support.clocks import Clock, ruling


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
