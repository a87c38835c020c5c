"""The platform's clock: China Standard Time, written without a zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

Clock = Callable[[], datetime]

CHINA = timezone(timedelta(hours=8), "CST")
ZERO_TIME = "0000-00-00 00:00:00"
ZERO_DATE = "0000-00-00"

_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass(frozen=True)
class Pace:
    """How long the platform takes for what it does by itself.

    ``queue`` is how long a campaign waits after its time has come; ``check`` is when a domain's DNS records appear.
    """

    queue: timedelta = timedelta(0)
    sending: timedelta = timedelta(seconds=30)
    review: timedelta = timedelta(seconds=20)
    importing: timedelta = timedelta(seconds=10)
    check: timedelta = timedelta(seconds=30)

    def times(self, factor: float) -> "Pace":
        """Return a pace that takes that much longer."""
        return Pace(**{name: factor * value for name, value in vars(self).items()})


PACE = Pace()
DEMO_PACE = Pace(queue=timedelta(seconds=4), sending=timedelta(seconds=20), review=timedelta(seconds=15))
"""A pace at which somebody can watch a campaign wait, go out and be read."""


def system_clock() -> datetime:
    """Answer the present moment as an aware datetime."""
    return datetime.now(UTC)


def stamp(moment: datetime | None) -> str:
    """Write a moment in the platform's local form; ``None`` becomes the MySQL zero date that means "never"."""
    if moment is None:
        return ZERO_TIME
    return moment.astimezone(CHINA).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def local_date(moment: datetime) -> date:
    """Answer the day on which a moment falls in China."""
    return moment.astimezone(CHINA).date()


def parse_time(text: str) -> datetime | None:
    """Read a time in one of the three forms of manual section 6.2; ``None`` when it is in none of them."""
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=CHINA)
        except ValueError:
            continue
    return None


def parse_date(text: str) -> date | None:
    """Read a day as ``YYYY-MM-DD`` (the manual refuses ``2012-3-2``); ``None`` when it is anything else."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if day.isoformat() == text.strip() else None
