"""The end of exporting: a collector that hangs must not hold a process that is to end."""

import time
from math import inf


class Ending:
    """Tells whether the time for what is left is over; before the end begins it is not."""

    def __init__(self) -> None:
        self._until = inf

    def begin(self, seconds: float) -> None:
        """Begin the end: from now on there are so many seconds."""
        self._until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether nothing is to be sent any more."""
        return time.monotonic() > self._until
