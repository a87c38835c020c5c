"""What an edit must say beside what is asked for.

The platform fills in what edit-task does not name (manual 6.3): the status becomes 1, which releases a held campaign,
the sender becomes any, and the range of recipients becomes the whole list. So an edit repeats what the campaign has.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.errors import Conflict, FieldError, ValidationFailed
from app.gateway.clock import PlatformClock
from app.resources.campaigns.requests import CampaignChanges, ChosenSender, Recipients, Schedule, ScheduleMode
from app.resources.campaigns.schemas import Campaign, CampaignSender
from app.texts import sentence

_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """What is to become of a campaign.

    Args:
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


_EDITABLE = frozenset({"waiting", "held", "paused"})
_ABOUT_TO_START = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class EditCampaign:
    """A complete edit of one campaign."""

    campaign_id: int
    changes: CampaignChanges
    timing: Timing
    sender: ChosenSender | CampaignSender
    recipients: Recipients


def complete(
    changes: CampaignChanges, timing: Timing | None, present: Campaign, now: datetime, *, known_end: int | None
) -> EditCampaign:
    """Add to the changes what the platform would otherwise reset.

    Args:
        known_end: the end of its range, 0 for the list's, if the range is known to begin with the first contact.

    Raises:
        Conflict: the campaign cannot be changed any more, or may start before the edit arrives.
        ValidationFailed: something that is not changed cannot be repeated, because the platform does not tell it.
    """
    _check_editable(present, timing, now)
    given = changes.model_fields_set
    sender = changes.sender if "sender" in given else present.sender
    _check_repeatable(given, present, known_end)
    return EditCampaign(
        campaign_id=present.id,
        changes=changes,
        timing=_complete_timing(timing, present, now, planned="schedule" in given and changes.schedule.at is not None),
        sender=sender,
        recipients=changes.recipients
        if "recipients" in given
        else Recipients.model_construct(first=1, last=known_end or None),
    )


def _check_editable(present: Campaign, timing: Timing | None, now: datetime) -> None:
    if present.status not in _EDITABLE:
        state = sentence("in an unknown state" if present.status in {None, "unknown"} else str(present.status))
        raise Conflict(
            sentence(
                "The campaign is {state}. Only a waiting, held or paused one can be changed; nothing was.", state=state
            )
        )
    holds = timing is not None and timing.mode == "hold"
    if present.status == "waiting" and not holds and _is_due(present, now):
        # An edit that arrives after the start would put the campaign into the queue again.
        raise Conflict("The campaign is due and may start at any moment. It can only be held now; nothing was changed.")


def _is_due(present: Campaign, now: datetime) -> bool:
    return present.scheduled_at is None or present.scheduled_at <= now + _ABOUT_TO_START


def _check_repeatable(given: set[str], present: Campaign, known_end: int | None) -> None:
    needed = []
    if "sender" not in given and not _is_repeatable(present.sender):
        needed.append(_needed("/sender", "the platform does not tell this campaign's sender"))
    # An end that is not the known one means that the range was changed elsewhere.
    if "recipients" not in given and (known_end is None or present.send_limit != known_end):
        needed.append(_needed("/recipients", "the platform does not tell where this campaign's range begins"))
    if needed:
        raise ValidationFailed("The change would reset what it does not name; nothing was changed.", needed)


def _is_repeatable(sender: CampaignSender) -> bool:
    if sender.type == "domain":
        return sender.domain is not None
    if sender.type == "address":
        return sender.address is not None
    return sender.type == "any"


def _needed(pointer: str, reason: str) -> FieldError:
    return FieldError(
        "body", pointer, "missing", sentence("must be given again: {reason}, and may reset it", reason=reason)
    )


def _complete_timing(timing: Timing | None, present: Campaign, now: datetime, *, planned: bool) -> Timing:
    if timing is None:
        # The manual documents no way to say that a paused campaign stays paused; held, it is not sent either.
        return Timing("at" if present.status == "waiting" else "hold", present.scheduled_at)
    if timing.mode == "now":
        return Timing("now", now.replace(microsecond=0))
    return Timing("hold", present.scheduled_at) if timing.mode == "hold" and not planned else timing
