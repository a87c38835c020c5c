"""The platform's clock: it writes local time without a zone, the gateway speaks RFC 3339."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime

_MOST_PLATFORMS = 1000
_WILD = timedelta(days=1)
"""A clock that is further off is none that the platform writes its times by."""
_LATEST = timedelta(seconds=5)
"""What a call may take on its way; a time a few seconds ahead is sent at once all the same (manual 6.2)."""


class PlatformClock:
    """Times as the platforms write them; `now` is the system's clock by default."""

    def __init__(self, zone: tzinfo, now: Callable[[], datetime] | None = None) -> None:
        self._zone = zone
        self._now = now or (lambda: datetime.now(UTC))
        self._ahead: dict[str, timedelta] = {}

    def heard(self, platform: str, date: str | None) -> None:
        """Note the `Date` header of an answer that has just come from a platform."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        ahead = told.astimezone(UTC) - self._now().astimezone(UTC) if told.tzinfo else _WILD
        if abs(ahead) < _WILD and (platform in self._ahead or len(self._ahead) < _MOST_PLATFORMS):
            self._ahead[platform] = ahead

    def soon(self, platform: str) -> datetime:
        """Return a time, in whole seconds, that is not past on a platform's own clock when a call arrives there."""
        return (self.present(platform) + _LATEST + timedelta(seconds=1)).replace(microsecond=0)

    def present(self, platform: str) -> datetime:
        """Return the current time on a platform's own clock, in its zone; the system's until it has told its own."""
        return self.local(self._now() + self._ahead.get(platform, timedelta()))

    def now(self) -> datetime:
        """Return the current time in the platform's zone."""
        return self._now().astimezone(self._zone)

    def utc(self) -> datetime:
        """Return the current time in UTC."""
        return self._now().astimezone(UTC)

    @property
    def zone(self) -> tzinfo:
        """The platforms' time zone."""
        return self._zone

    def local(self, moment: datetime) -> datetime:
        """Return an aware time in the platform's zone."""
        return moment.astimezone(self._zone)


def write_time(moment: datetime) -> str:
    """Write a time that is already in the platform's zone the way the platform reads it (manual 6.2)."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
