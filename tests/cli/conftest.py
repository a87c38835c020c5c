"""Commands run in the tests' own process."""

from collections.abc import Iterator
from io import StringIO

import pytest

from app.telemetry.logs import configure_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo that commands keep quiet: tests that come later look at what is logged."""
    yield
    configure_logging("DEBUG", StringIO())
