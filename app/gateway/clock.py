"""The platform's clock: it writes local time without a zone, the gateway speaks RFC 3339."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo


class PlatformClock:
    """Times as the platform writes them.

    Args:
        zone: the platform's time zone.
        now: returns the current time as an aware datetime; the system's clock by default.
    """

    def __init__(self, zone: tzinfo, now: Callable[[], datetime] | None = None) -> None:
        self._zone = zone
        self._now = now or (lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """Return the current time in the platform's zone."""
        return self._now().astimezone(self._zone)

    def utc(self) -> datetime:
        """Return the current time in UTC."""
        return self._now().astimezone(UTC)

    def local(self, moment: datetime) -> datetime:
        """Return an aware time in the platform's zone."""
        return moment.astimezone(self._zone)


def write_time(moment: datetime) -> str:
    """Write a time that is already in the platform's zone the way the platform reads it (manual 6.2)."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
