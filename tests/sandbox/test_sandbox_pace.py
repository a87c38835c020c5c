"""How the platform moves along by itself, at the pace it is given."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from app.sandbox import DEMO_PACE, Account, Pace, Sandbox
from app.sandbox.metrics import counts, opens
from app.sandbox.state import AccountState

START = datetime(2026, 11, 22, 5, 4, 5, tzinfo=UTC)


class World:
    """A seeded account whose clock a test moves."""

    def __init__(self, pace: Pace) -> None:
        self.now = START
        self._sandbox = Sandbox([Account("acme", "x", seeded=True)], lambda: self.now, pace=pace)

    def after(self, seconds: float) -> AccountState:
        self.now = START + timedelta(seconds=seconds)
        return self._sandbox.state("acme")


def test_a_campaign_waits_goes_out_and_is_read_within_half_a_minute() -> None:
    world = World(DEMO_PACE)
    campaign = world.after(0).campaigns[5_500_005]
    campaign.status, campaign.released, campaign.send_time = 1, START, START
    seen = []
    for second in range(0, 40, 2):
        world.after(second)
        seen.append((campaign.status, counts([campaign], world.now).sent, opens(campaign, world.now).unique))
    assert [status for status, _ in groupby(status for status, _, _ in seen)] == [1, 2, 3]
    assert len({sent for _, sent, _ in seen}) > 8
    assert seen[-1][2] > 5


def test_opens_come_over_hours() -> None:
    world = World(DEMO_PACE)
    campaign = world.after(0).campaigns[5_500_001]
    hours = {moment.replace(minute=0, second=0) for each in campaign.deliveries for moment in each.opens}
    assert len(hours) > 6
    assert len({each.reader.device for each in campaign.deliveries if each.opens}) > 1
    assert len({each.outcome for each in campaign.deliveries}) > 4


def test_a_pace_is_stretched() -> None:
    slow = Pace().times(3)
    assert (slow.sending, slow.queue) == (timedelta(seconds=90), timedelta(0))
