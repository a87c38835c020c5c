"""The seeded data: the same every time, believable, and at reserved names only."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.sandbox import Account, Sandbox
from app.sandbox.control import to_json
from app.sandbox.seed import own_domain
from app.sandbox.state import AccountState

MOMENT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
COLLECTIONS = ("profile", "lists", "contacts", "imports", "templates", "campaigns", "domains", "mailboxes")


def _state(moment: datetime = MOMENT, username: str = "acme") -> AccountState:
    return Sandbox([Account(username, "x", seeded=True)], lambda: moment).state(username)


def _dump(state: AccountState) -> list[object]:
    deliveries = [campaign.deliveries for campaign in state.campaigns.values()]
    return [to_json(getattr(state, name)) for name in COLLECTIONS] + [to_json(deliveries)]


def test_the_same_moment_gives_the_same_data() -> None:
    assert _dump(_state()) == _dump(_state())
    later = _state(MOMENT + timedelta(minutes=9))
    for name in ("profile", "lists", "contacts", "imports", "campaigns", "mailboxes"):
        assert to_json(getattr(_state(), name)) == to_json(getattr(later, name))


def test_what_there_is() -> None:
    state = _state()
    assert len(state.lists) == 5
    assert len(state.contacts) == len({contact.address for contact in state.contacts.values()}) == 120
    contacts = list(state.contacts.values())
    assert any(re.search("[一-龥]", contact.fullname) for contact in contacts)
    assert any(re.search("[a-zA-Z]", contact.fullname) for contact in contacts)
    assert any(contact.phone.startswith("0") for contact in contacts)
    assert {contact.birthday == "0000-00-00" for contact in contacts} == {True, False}
    assert {bool(contact.variables) for contact in contacts} == {True, False}
    assert {contact.sex for contact in contacts} == {"M", "F", ""}
    assert sorted(campaign.status for campaign in state.campaigns.values()) == [-3, -1, 3, 3, 3]
    assert any(len(template.subjects) > 1 for template in state.templates.values())
    assert {domain.verified for domain in state.domains.values()} == {True, False}
    assert {job.status for job in state.imports.values()} == {1, -2}
    assert any(item.unsubscribed for item in state.lists.values())
    assert len(state.mailboxes) == 3
    assert list(state.lists) == [*range(418_801, 418_806)]
    assert list(state.templates) == [*range(255_201, 255_206)]
    assert list(state.campaigns) == [*range(5_500_001, 5_500_006)]
    assert next(iter(state.contacts)) == 90_000_001


def test_addresses_are_reserved() -> None:
    text = repr(_dump(_state()))
    domains = set(re.findall(r"@([\w.-]+)", text)) | set(re.findall(r"https?://([\w.-]+)", text))
    assert domains
    assert all(re.search(r"(\.example|^(.+\.)?example\.(com|org|net))$", domain) for domain in domains), domains


def test_two_seeded_accounts_share_no_number() -> None:
    sandbox = Sandbox([Account("a", "1", seeded=True), Account("b", "2", seeded=True)])
    one, two = sandbox.state("a"), sandbox.state("b")
    assert not set(one.contacts) & set(two.contacts)
    assert not set(one.campaigns) & set(two.campaigns)
    assert one.customer_id != two.customer_id


def test_ids_of_different_kinds_are_different_numbers() -> None:
    state = _state()
    kinds = [
        set(state.lists),
        set(state.contacts),
        set(state.templates),
        set(state.campaigns),
        {campaign.task_id for campaign in state.campaigns.values()},
        {campaign.track_id for campaign in state.campaigns.values()},
        {link_id for campaign in state.campaigns.values() for link_id in campaign.links},
    ]
    assert len(set().union(*kinds)) == sum(len(kind) for kind in kinds)


@pytest.mark.parametrize(
    ("username", "domain"),
    [("acme", "acme.example"), ("Acme_GmbH 1", "acme-gmbh-1.example"), ("王", "account.example")],
)
def test_main_domain(username: str, domain: str) -> None:
    assert own_domain(username) == domain
    assert domain in _state(username=username).domains
