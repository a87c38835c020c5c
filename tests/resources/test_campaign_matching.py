"""Which campaign of a listing is the one that was sent, and whose it cannot be."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.resources.campaigns.matching import Shown, Sought
from app.resources.campaigns.schemas import Campaign, CampaignList, CampaignSender, CampaignTemplate

TIME = datetime(2031, 3, 2, 9, 30, tzinfo=UTC)
WANTED: dict[str, Any] = {
    "template_ids": (16, 17),
    "list_id": 78,
    "sender": ("address", None, "news@example.com"),
    "from_name": "News",
    "mode": "at",
    "time": TIME.isoformat(),
    "send_limit": 500,
}
SENDERS = {
    "any": CampaignSender(type="any", domain=None, address=None),
    "domain": CampaignSender(type="domain", domain="Example.com", address=None),
    "address": CampaignSender(type="address", domain="example.com", address="News@Example.com"),
}
SOUGHT = {
    "any": ("any", None, None),
    "domain": ("domain", "example.com", None),
    "address": ("address", None, "news@example.com"),
}


def campaign(campaign_id: int = 1, **changes: Any) -> Campaign:
    """Return a campaign that looks like what is wanted."""
    fields: dict[str, Any] = dict.fromkeys(Campaign.model_fields)
    fields |= {
        "id": campaign_id,
        "sender": SENDERS["address"],
        "from_name": "News ",
        "templates": [CampaignTemplate(id=each, name=None) for each in (17, 16)],
        "lists": [CampaignList(id=78, name=None)],
        "send_limit": 500,
        "scheduled_at": TIME,
    }
    return Campaign(**{**fields, **changes})


def found(*campaigns: Campaign, taken: tuple[int, ...] = (), **changes: Any) -> list[int]:
    return [each.id for each in Sought(**{**WANTED, **changes}).among(campaigns, taken)]


def test_what_looks_like_it_is_found() -> None:
    assert found(campaign()) == [1]
    assert found(campaign(send_limit=None)) == [1]


@pytest.mark.parametrize("wanted", SOUGHT)
@pytest.mark.parametrize("shown", SENDERS)
def test_senders_are_alike_in_kind_and_address(wanted: str, shown: str) -> None:
    assert found(campaign(sender=SENDERS[shown]), sender=SOUGHT[wanted]) == ([1] if wanted == shown else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"templates": [CampaignTemplate(id=16, name=None)]},
        {"templates": [CampaignTemplate(id=each, name=None) for each in (16, 17, 18)]},
        {"lists": [CampaignList(id=79, name=None)]},
        {"lists": []},
        {"sender": CampaignSender(type="domain", domain="other.example", address=None)},
        {"sender": CampaignSender(type="address", domain=None, address="other@example.com")},
        {"sender": CampaignSender(type=None, domain=None, address=None)},
        {"from_name": "Other"},
        {"from_name": None},
        {"send_limit": 0},
        {"scheduled_at": None},
        {"scheduled_at": TIME + timedelta(minutes=1)},
        {"scheduled_at": TIME - timedelta(minutes=1)},
    ],
    ids=str,
)
def test_what_differs_is_not_it(changes: dict[str, Any]) -> None:
    assert found(campaign(**changes)) == []


@pytest.mark.parametrize(("mode", "apart"), [("at", timedelta(minutes=1)), ("hold", timedelta(minutes=1))])
def test_times_agree_to_the_minute(mode: str, apart: timedelta) -> None:
    for sign in (1, -1):
        assert found(campaign(scheduled_at=TIME + sign * (apart - timedelta(seconds=1))), mode=mode) == [1]
        assert found(campaign(scheduled_at=TIME + sign * apart), mode=mode) == []


def test_clocks_may_differ_for_what_is_sent_now() -> None:
    for sign in (1, -1):
        assert found(campaign(scheduled_at=TIME + sign * timedelta(minutes=4, seconds=59)), mode="now") == [1]
        assert found(campaign(scheduled_at=TIME + sign * timedelta(minutes=5)), mode="now") == []


def test_neither_what_was_there_nor_what_is_anothers() -> None:
    campaigns = [campaign(number) for number in (1, 2, 3)]
    assert found(*campaigns, known=(1,), taken=(3,)) == [2]
    shown = [*campaigns, campaign(4, from_name="Other")]
    for is_whole in (True, False):
        beside = Sought(**WANTED).beside(Shown(shown, is_whole))
        assert (beside.known, beside.certain) == ((1, 2, 3), is_whole)


def test_the_days_on_which_it_may_be_listed() -> None:
    later = TIME + timedelta(days=1)
    assert Sought(**WANTED).days(later) == {date(2031, 3, 2)}
    assert Sought(**{**WANTED, "mode": "now"}).days(later) == {date(2031, 3, 2), date(2031, 3, 3)}


def test_the_journal_keeps_it() -> None:
    wanted = Sought(**{**WANTED, "known": (1, 2)})
    assert Sought.from_json(wanted.as_json()) == wanted
