"""What one account holds, what all accounts share, and how both move with the clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from app.sandbox.delivery import links_of, plan_deliveries
from app.sandbox.lines import read_lines, split_file
from app.sandbox.models import (
    Account,
    Campaign,
    Contact,
    ContactFields,
    ContactList,
    Domain,
    FileImport,
    ImportTally,
    Profile,
    SenderMailbox,
    Template,
)
from app.sandbox.times import Clock, Pace

WAITING, SENDING, SENT, HELD, PAUSED, CANCELLED = 1, 2, 3, -1, -2, -3

# Far apart, so that an id of one kind is never an id of another.
_FIRST_IDS = {
    "customer": 2369,
    "domain": 3201,
    "import": 71_601,
    "attachment": 190_001,
    "template": 255_201,
    "list": 418_801,
    "subject": 610_001,
    "track": 880_001,
    "task": 1_036_701,
    "link": 2_400_001,
    "send": 5_500_001,
    "click": 30_000_001,
    "contact": 90_000_001,
}


class Ids:
    """Numbers for new records: one sequence for each kind of record, shared by all accounts."""

    def __init__(self) -> None:
        """Start every sequence."""
        self._next = dict(_FIRST_IDS)

    def take(self, kind: str) -> int:
        """Answer the next number of a kind."""
        number = self._next[kind]
        self._next[kind] = number + 1
        return number


class AccountState:
    """Everything one account holds; no operation reaches another account's state except as its manager."""

    def __init__(self, account: Account, ids: Ids, pace: Pace) -> None:
        self.account = account
        self.ids = ids
        self.pace = pace
        self.customer_id = ids.take("customer")
        self.profile = Profile(company=account.username, email=f"{account.username}@example.com")
        self.lists: dict[int, ContactList] = {}
        self.contacts: dict[int, Contact] = {}
        self.imports: dict[int, FileImport] = {}
        self.templates: dict[int, Template] = {}
        self.campaigns: dict[int, Campaign] = {}
        self.deleted_campaigns: list[Campaign] = []
        self.domains: dict[str, Domain] = {}
        self.mailboxes: dict[str, SenderMailbox] = {}
        self.campaign_calls: list[datetime] = []
        self._places: dict[tuple[int, str], int] = {}

    def list_sizes(self) -> Counter[int]:
        """Count the contacts of every list."""
        return Counter(contact.list_id for contact in self.contacts.values())

    def contacts_of(self, list_id: int) -> list[Contact]:
        """Answer a list's contacts in the order in which they were added."""
        return [contact for contact in self.contacts.values() if contact.list_id == list_id]

    def find_contact(self, list_id: int, address: str) -> Contact | None:
        """Look an address up in one list."""
        contact_id = self._places.get((list_id, address.lower()))
        return None if contact_id is None else self.contacts[contact_id]

    def put_contact(self, list_id: int, fields: ContactFields, now: datetime) -> tuple[Contact, bool]:
        """Add a contact, or update the one that has this address in this list; say whether it is new."""
        contact = self.find_contact(list_id, fields.address)
        created = contact is None
        if contact is None:
            contact = Contact(self.ids.take("contact"), list_id, fields.address.lower(), now)
            self.contacts[contact.id] = contact
        self.change_contact(contact, fields)
        return contact, created

    def change_contact(self, contact: Contact, fields: ContactFields) -> None:
        """Write the given fields, the address included, into a contact."""
        self._places.pop((contact.list_id, contact.address), None)
        contact.address = fields.address.lower()
        self._places[contact.list_id, contact.address] = contact.id
        for name in ("fullname", "sex", "birthday", "phone", "area"):
            value = getattr(fields, name)
            if value is not None:
                setattr(contact, name, value)
        contact.variables |= fields.variables

    def put_lines(self, list_id: int, lines: Iterable[str], now: datetime) -> ImportTally:
        """Work off lines in the platform's form (4.9.2, 4.9.3) and count what became of them."""
        tally = ImportTally()
        for fields in read_lines(lines):
            tally.total += 1
            if fields is None:
                tally.invalid += 1
            elif not self.put_contact(list_id, fields, now)[1]:
                tally.duplicate += 1
        return tally

    def remove_contact(self, contact: Contact) -> None:
        del self.contacts[contact.id]
        self._places.pop((contact.list_id, contact.address), None)

    def empty_list(self, list_id: int) -> int:
        """Forget all contacts of a list; answer how many there were."""
        contacts = self.contacts_of(list_id)
        for contact in contacts:
            self.remove_contact(contact)
        return len(contacts)

    def recipients(self, campaign: Campaign) -> list[Contact]:
        """Choose a campaign's recipients: each address of its lists once, cut to the range of section 6.2."""
        chosen = {contact.address: contact for list_id in campaign.list_ids for contact in self.contacts_of(list_id)}
        return list(chosen.values())[campaign.send_from - 1 : campaign.send_to or None]

    def all_campaigns(self) -> list[Campaign]:
        """Answer the campaigns that statistics count: deleting a campaign does not undo what it sent."""
        return [*self.campaigns.values(), *self.deleted_campaigns]

    def advance(self, now: datetime) -> None:
        """Let everything that was due by ``now`` happen: imports, then sending."""
        for job in self.imports.values():
            if job.status == 0 and now >= job.time + self.pace.importing:
                self.finish_import(job, now)
        for campaign in self.campaigns.values():
            start = campaign.due + self.pace.queue
            if campaign.status == WAITING and now >= start:
                self.start_campaign(campaign, start)
            if campaign.status == SENDING and campaign.ended is not None and now >= campaign.ended:
                campaign.status = SENT

    def finish_import(self, job: FileImport, now: datetime) -> None:
        """Work off an uploaded file: status 1, or -1 (list gone), -2 (no line), -3 (not text)."""
        lines = split_file(job.content)
        if job.list_id not in self.lists:
            job.status = -1
        elif lines is None:
            job.status = -3
        else:
            job.tally = self.put_lines(job.list_id, lines, now)
            job.status = 1 if job.tally.total else -2
        job.content = b""

    def start_campaign(self, campaign: Campaign, moment: datetime) -> None:
        """Freeze a campaign's recipients and links and decide every recipient's fate."""
        contacts = self.recipients(campaign)
        bodies = [self.templates[number].content for number in campaign.template_ids if number in self.templates]
        campaign.status = SENDING
        campaign.started = moment
        campaign.ended = moment + self.pace.sending if contacts else moment
        campaign.recipient_count = len(contacts)
        campaign.links = {self.ids.take("link"): url for url in links_of(bodies)}
        campaign.deliveries = plan_deliveries(
            campaign, contacts, moment, self.pace.sending, lambda: self.ids.take("click")
        )


class World:
    """All accounts, their shared numbers and their clock."""

    def __init__(self, accounts: Sequence[Account], clock: Clock, pace: Pace) -> None:
        """Make an empty state for each account; two accounts of one name are refused."""
        self.clock = clock
        self.ids = Ids()
        self.accounts = {account.username: AccountState(account, self.ids, pace) for account in accounts}
        if len(self.accounts) != len(accounts):
            raise ValueError("two sandbox accounts share a username")

    def now(self) -> datetime:
        """Answer the present moment of the clock, which must be aware of its zone."""
        moment = self.clock()
        if moment.tzinfo is None:
            raise ValueError("the sandbox clock must answer an aware datetime")
        return moment

    def current(self, username: str) -> AccountState | None:
        """Answer an account's state, brought up to the present moment."""
        state = self.accounts.get(username)
        if state is not None:
            state.advance(self.now())
        return state

    def customer(self, customer_id: int) -> AccountState | None:
        """Find a customer account (not a manager's) by its number."""
        for state in self.accounts.values():
            if state.customer_id == customer_id and state.account.role == "customer":
                return state
        return None

    def mailbox(self, address: str) -> SenderMailbox | None:
        """Find a sender mailbox of any account."""
        for state in self.accounts.values():
            if address in state.mailboxes:
                return state.mailboxes[address]
        return None
