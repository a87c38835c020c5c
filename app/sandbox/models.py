"""The records the sandbox keeps: plain dataclasses without behaviour beyond a few derived facts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.sandbox.times import ZERO_DATE

Role = Literal["customer", "manager"]


@dataclass(frozen=True)
class Account:
    """Credentials of one platform account; ``seeded`` fills it with believable data at start."""

    username: str
    password: str = field(repr=False)
    role: Role = "customer"
    seeded: bool = False


@dataclass
class ContactList:
    """A 联系人分类 (chapter 4)."""

    id: int
    subject: str
    description: str = ""
    status: str = "enabled"
    unsubscribed: dict[str, datetime] = field(default_factory=dict)


@dataclass
class ContactFields:
    """What a caller says about a contact; ``None`` leaves a stored value alone."""

    address: str
    fullname: str | None = None
    sex: str | None = None
    birthday: str | None = None
    phone: str | None = None
    area: str | None = None
    variables: dict[int, str] = field(default_factory=dict)


@dataclass
class Contact:
    """An address in a list, or in none (``list_id`` 0)."""

    id: int
    list_id: int
    address: str
    time: datetime
    fullname: str = ""
    sex: str = ""
    birthday: str = ZERO_DATE
    phone: str = ""
    area: str = ""
    variables: dict[int, str] = field(default_factory=dict)


@dataclass
class ImportTally:
    """How many lines of an upload were added, invalid or already there."""

    total: int = 0
    invalid: int = 0
    duplicate: int = 0

    @property
    def added(self) -> int:
        """Lines that made a new contact."""
        return self.total - self.invalid - self.duplicate


@dataclass
class FileImport:
    """A file import (4.9.3, 4.9.4, 4.15); ``status`` 0 is waiting, 1 done, below 0 failed."""

    id: int
    list_id: int
    list_name: str
    filename: str
    content: bytes = field(repr=False)
    time: datetime
    status: int = 0
    queried: bool = False
    tally: ImportTally = field(default_factory=ImportTally)


@dataclass
class TemplateFile:
    """A file that belongs to a template."""

    id: int
    name: str
    content: bytes = field(repr=False)


@dataclass
class Template:
    """An e-mail template (chapter 5); ``subjects`` maps the id of a subject to its text."""

    id: int
    name: str
    subjects: dict[int, str]
    content: str
    created: datetime
    updated: datetime
    text_content: str = ""
    encoding: str = "base64"
    attachments: dict[int, TemplateFile] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The size of the whole message in bytes."""
        bodies = self.content.encode() + self.text_content.encode()
        return len(bodies) + sum(len(attachment.content) for attachment in self.attachments.values())


@dataclass(frozen=True)
class Sender:
    """Who a campaign comes from: ``kind`` is ``all``, ``domain`` or ``address``."""

    kind: str
    domain: str = ""
    address: str = ""


@dataclass(frozen=True)
class Reader:
    """Where and with what a recipient reads: the facts of an open (3.2)."""

    device: str
    browser: str
    os: str
    place: str
    ip: str
    later_place: str
    later_ip: str


@dataclass(frozen=True)
class Clicks:
    """One recipient's clicks on one link (3.3)."""

    id: int
    link_id: int
    times: tuple[datetime, ...]


@dataclass(frozen=True)
class MailDelivery:
    """The whole fate of one recipient of a campaign; each fact counts from its own moment on.

    ``outcome`` is 0 for delivered, otherwise the failure type of section 2.3.
    """

    email_id: int
    email: str
    sent_at: datetime
    outcome: int
    reader: Reader
    opens: tuple[datetime, ...] = ()
    clicks: tuple[Clicks, ...] = ()


@dataclass
class Campaign:
    """A 群发任务 (chapters 2, 3, 5, 6). ``id`` is the send id; ``task_id`` and ``track_id`` are other numbers.

    ``released`` is when it was last put in the queue: a send time in the past means sending from then on.
    """

    id: int
    task_id: int
    track_id: int
    ident: str
    template_ids: list[int]
    list_ids: list[int]
    sender: Sender
    sender_name: str
    send_time: datetime
    released: datetime
    status: int = 1
    reply_to: str = ""
    send_from: int = 1
    send_to: int = 0
    track_status: int = 0
    track_domain: str = ""
    subs_link: bool = True
    recipient_count: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    links: dict[int, str] = field(default_factory=dict)
    deliveries: list[MailDelivery] = field(default_factory=list)

    @property
    def due(self) -> datetime:
        """When sending starts, if it is waiting."""
        return max(self.send_time, self.released)


@dataclass
class Domain:
    """A sending domain (7.1 to 7.6)."""

    id: int
    name: str
    added: datetime
    verified: bool = False


@dataclass
class SenderMailbox:
    """A sender mailbox (7.7 to 7.10), which is also a login of the SMTP relay."""

    address: str
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """The part before the ``@``."""
        return self.address.partition("@")[0]

    @property
    def domain(self) -> str:
        """The part after the ``@``."""
        return self.address.partition("@")[2]


@dataclass(frozen=True)
class Profile:
    """What sections 1.1 and 1.2 tell about an account."""

    company: str = ""
    contact: str = ""
    phone: str = ""
    mobile: str = ""
    email: str = ""
    im: str = ""
    address: str = ""
    bought: int = 100_000
    status: str = "enabled"
    days_left: int = 165
