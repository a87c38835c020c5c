"""A clock, and a note of what breakers do."""

import pytest

from tests.support.breakers import Changes
from tests.support.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def changes() -> Changes:
    return Changes()
