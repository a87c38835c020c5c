"""Counting: every number of chapters 1, 2 and 3 comes from here, so they agree with each other.

All counts are as of a moment: what lies in a delivery's future is not there yet.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from app.sandbox.delivery import DELIVERED, UNSENT
from app.sandbox.models import Campaign, Clicks, MailDelivery
from app.sandbox.state import AccountState


@dataclass(frozen=True)
class Counts:
    """What became of the messages of one campaign, or of several added up."""

    outcomes: dict[int, int]

    @property
    def expected(self) -> int:
        """Every recipient that has been worked off, invalid addresses included."""
        return sum(self.outcomes.values())

    @property
    def invalid(self) -> int:
        """Recipients that were not sent to at all."""
        return sum(self.outcomes.get(kind, 0) for kind in UNSENT)

    @property
    def sent(self) -> int:
        """Messages that went out: delivered plus failed."""
        return self.expected - self.invalid

    @property
    def delivered(self) -> int:
        """Messages that arrived; each costs one credit."""
        return self.outcomes.get(DELIVERED, 0)

    @property
    def failed(self) -> int:
        """Messages that went out and did not arrive."""
        return self.sent - self.delivered

    def of(self, outcome: int) -> int:
        return self.outcomes.get(outcome, 0)


@dataclass(frozen=True)
class Activity:
    """Opens, or clicks: how many people, how many times, first and last."""

    unique: int
    total: int
    first: datetime | None
    last: datetime | None

    @property
    def later(self) -> datetime | None:
        """The last time unless it is the only one, which the platform writes as a zero date."""
        return self.last if self.total > 1 else None


def done(campaign: Campaign, now: datetime) -> Iterator[MailDelivery]:
    """Answer the deliveries that have been worked off by now."""
    return (delivery for delivery in campaign.deliveries if delivery.sent_at <= now)


def counts(campaigns: Iterable[Campaign], now: datetime) -> Counts:
    outcomes: dict[int, int] = {}
    for campaign in campaigns:
        for delivery in done(campaign, now):
            outcomes[delivery.outcome] = outcomes.get(delivery.outcome, 0) + 1
    return Counts(outcomes)


def credits_used(state: AccountState, now: datetime) -> int:
    """Count the credits that all of an account's campaigns have cost."""
    return counts(state.all_campaigns(), now).delivered


def past(times: Iterable[datetime], now: datetime) -> list[datetime]:
    """Answer the times that have come."""
    return [moment for moment in times if moment <= now]


def activity(groups: Iterable[list[datetime]]) -> Activity:
    """Add up the times of several people; people without any do not count."""
    people = [times for times in groups if times]
    moments = [moment for times in people for moment in times]
    return Activity(len(people), len(moments), min(moments, default=None), max(moments, default=None))


def opens(campaign: Campaign, now: datetime) -> Activity:
    """Count a campaign's opens."""
    return activity(past(delivery.opens, now) for delivery in campaign.deliveries)


def clicks(campaign: Campaign, now: datetime, link_id: int | None = None) -> Activity:
    """Count a campaign's clicks, on all links or on one."""
    return activity(click_times(delivery, now, link_id) for delivery in campaign.deliveries)


def click_times(delivery: MailDelivery, now: datetime, link_id: int | None = None) -> list[datetime]:
    """Answer when one recipient clicked, on all links or on one."""
    return [
        moment
        for click in delivery.clicks
        if link_id is None or click.link_id == link_id
        for moment in past(click.times, now)
    ]


def clicks_by_reader(campaign: Campaign, now: datetime, link_id: int | None) -> Iterator[tuple[MailDelivery, Clicks]]:
    """Answer each recipient's clicks on each link, as far as they have happened."""
    for delivery in campaign.deliveries:
        for click in delivery.clicks:
            if link_id in (None, click.link_id) and past(click.times, now):
                yield delivery, click
