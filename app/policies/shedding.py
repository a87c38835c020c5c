"""Requests at once are bounded for the process as a whole, before memory or latency suffer from them."""

from app.policies.bulkhead import Full


class Shedder:
    """Counts requests under way and refuses those beyond a number.

    Args:
        limit: that number.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How many there are."""
        return self._under_way

    @property
    def is_full(self) -> bool:
        """Whether the next one is refused."""
        return self._under_way >= self._limit

    def __enter__(self) -> None:
        """Count one request.

        Raises:
            Full: there are too many.
        """
        if self.is_full:
            raise Full("requests")
        self._under_way += 1

    def __exit__(self, *_failure: object) -> None:
        self._under_way -= 1
