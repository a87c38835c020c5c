"""When a campaign is sent, on the platform's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.errors import FieldError, ValidationFailed
from app.gateway.clock import PlatformClock
from app.resources.campaigns.requests import Schedule, ScheduleMode

_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """What is to become of a campaign.

    Args:
        mode: send now, at a time, or not yet.
        time: goes with it, in the platform's zone and in whole seconds; None where nothing is known.
    """

    mode: ScheduleMode
    time: datetime | None


def plan(schedule: Schedule, clock: PlatformClock) -> Timing:
    """Return the timing that a schedule asks for.

    The platform wants a time with every mode (manual 6.2); where the schedule has none, that is the platform's now,
    and for the mode `now` the one at which the call leaves.

    Raises:
        ValidationFailed: `at` is more than a minute ago. The platform would send at once, which nobody who names
            a time has asked for.
    """
    now = clock.now()
    time = now if schedule.at is None else clock.local(schedule.at)
    if time < now - _GRACE:
        error = FieldError("body", "/schedule/at", "time_in_past", "is in the past; the mode `now` sends at once")
        raise ValidationFailed("1 field refused.", [error])
    return Timing(schedule.mode, time.replace(microsecond=0))
