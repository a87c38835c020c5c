"""Recognizing a campaign whose creation went unanswered among those that the platform shows."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from app.resources.campaigns.forms import CreateCampaign
from app.resources.campaigns.requests import ChosenSender, ScheduleMode
from app.resources.campaigns.schemas import Campaign, CampaignSender

_CLOCKS_APART = timedelta(minutes=5)
"""The platform writes its own time down for a campaign that is sent at once."""
_WHOLE_MINUTE = timedelta(minutes=1)
"""The platform takes times with and without seconds (manual 6.2) and may keep them without."""


class Shown(NamedTuple):
    """The campaigns that the platform shows, and whether certainly none is missing among them."""

    campaigns: list[Campaign]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Sought:
    """A campaign to look for, in a form that the journal keeps.

    Args:
        send_limit: the end of its range of recipients, 0 for the list's end.
        known: ids of campaigns that looked just like it before it was created.
        certain: whether the listings that told so were whole.
        first: the start of its range of recipients, which the platform does not tell; None where it was not noted.
    """

    template_ids: tuple[int, ...]
    list_id: int
    sender: tuple[str, str | None, str | None]
    from_name: str
    mode: ScheduleMode
    time: str
    send_limit: int
    known: tuple[int, ...] = ()
    certain: bool = True
    first: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Sought":
        """Return what `as_json` has written."""
        lists = {name: tuple(values[name]) for name in ("template_ids", "sender", "known")}
        return cls(**{**{each.name: values[each.name] for each in fields(cls) if each.name in values}, **lists})

    def beside(self, shown: Shown) -> "Sought":
        """Return it with the ids of those among some campaigns that already look just like it."""
        return replace(self, known=tuple(each.id for each in self.among(shown.campaigns)), certain=shown.is_whole)

    def sent_at(self, present: datetime) -> "Sought":
        """Return it with the time that the platform writes down, if it is sent at once."""
        return replace(self, time=present.replace(microsecond=0).isoformat()) if self.mode == "now" else self

    def days(self, now: datetime) -> set[date]:
        """Return the days under which the platform may list it."""
        time = datetime.fromisoformat(self.time)
        return {time.date()} if self.mode != "now" else {time.date(), now.date()}

    def among(self, campaigns: Iterable[Campaign], taken: Iterable[int] = ()) -> list[Campaign]:
        """Return those that look like it and were neither there before nor belong to another attempt."""
        excluded = {*self.known, *taken}
        return [each for each in campaigns if each.id not in excluded and self._looks_like(each)]

    def _looks_like(self, campaign: Campaign) -> bool:
        return (
            {each.id for each in campaign.templates} == set(self.template_ids)
            and self.list_id in {each.id for each in campaign.lists}
            and _sender(campaign.sender) == self.sender
            and (campaign.from_name or "").strip() == self.from_name.strip()
            and campaign.send_limit in {None, self.send_limit}
            and self._is_its_time(campaign.scheduled_at)
        )

    def _is_its_time(self, scheduled: datetime | None) -> bool:
        if scheduled is None:
            return False
        apart = abs(scheduled - datetime.fromisoformat(self.time))
        return apart < (_CLOCKS_APART if self.mode == "now" else _WHOLE_MINUTE)


def sought(request: CreateCampaign) -> Sought:
    """Return how a campaign that is about to be created will look."""
    campaign, timing = request.campaign, request.timing
    if timing.time is None:
        raise ValueError("a new campaign has a time")
    return Sought(
        template_ids=tuple(campaign.template_ids),
        list_id=campaign.list_id,
        sender=_sender(campaign.sender),
        from_name=campaign.from_name,
        mode=timing.mode,
        time=timing.time.isoformat(),
        send_limit=campaign.recipients.last or 0,
        first=campaign.recipients.first,
    )


def _sender(sender: ChosenSender | CampaignSender) -> tuple[str, str | None, str | None]:
    """Return whom a campaign comes from; an address says its domain, and the platform writes both in lower case."""
    kind = sender.type or ""
    domain = sender.domain.lower() if sender.domain and kind == "domain" else None
    return kind, domain, sender.address.lower() if sender.address else None
