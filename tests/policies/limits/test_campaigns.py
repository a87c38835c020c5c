"""The platform's quota of campaigns."""

from app.policies.rate_limits import UNLIMITED, CampaignQuota, MemoryWindow
from tests.support.clocks import Clock


async def used_up(clock: Clock, limit: int = 2) -> CampaignQuota:
    """Return a quota of which `acme` has used up everything."""
    quota = CampaignQuota(MemoryWindow(), clock)
    for _ in range(limit):
        assert (await quota.take("acme", limit)).allowed
    return quota


async def test_an_hour_has_room_for_so_many() -> None:
    quota = await used_up(Clock())
    refused = await quota.take("acme", 2)
    assert not refused.allowed
    assert 3500 < refused.retry_after <= 3600
    assert [(each.quota.name, each.quota.amount, each.quota.seconds) for each in refused.statuses] == [
        ("campaigns", 2, 3600)
    ]
    assert (await quota.take("rival", 2)).allowed


async def test_what_never_left_is_there_for_the_next() -> None:
    quota = await used_up(Clock())
    quota.give_back("acme")
    assert await quota.take("acme", 2) == UNLIMITED
    assert not (await quota.take("acme", 2)).allowed


async def test_as_many_as_were_given_back() -> None:
    quota = await used_up(Clock())
    for _ in range(2):
        quota.give_back("acme")
    assert [(await quota.take("acme", 2)).allowed for _ in range(3)] == [True, True, False]


async def test_only_for_the_same_tenant() -> None:
    quota = await used_up(Clock())
    quota.give_back("rival")
    assert not (await quota.take("acme", 2)).allowed


async def test_only_for_an_hour() -> None:
    clock = Clock()
    quota = await used_up(clock)
    quota.give_back("acme")
    clock.now += 1800.0
    quota.give_back("acme")
    clock.now += 1799.0
    assert (await quota.take("acme", 2)).allowed
    clock.now += 1.0
    assert (await quota.take("acme", 2)).allowed
    quota.give_back("acme")
    clock.now += 3600.0
    assert not (await quota.take("acme", 2)).allowed


async def test_the_oldest_is_used_first() -> None:
    clock = Clock()
    quota = await used_up(clock)
    quota.give_back("acme")
    clock.now += 1800.0
    quota.give_back("acme")
    assert (await quota.take("acme", 2)).allowed
    clock.now += 1800.0
    assert (await quota.take("acme", 2)).allowed
