"""A message to submit, and what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody who sends or receives: an address whose local part is ASCII, and a name in any script."""

    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message.

    Args:
        parameters: of the media type, such as `charset`.
        content_id: set for a part that the HTML body shows, which refers to it as `cid:…`.
    """

    filename: str
    media_type: str
    content: bytes = field(repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as its author means it; at least one of `html` and `text` is set.

    No text but the bodies holds control characters, and no name in `headers` is one that the gateway writes itself.
    """

    sender: Correspondent
    to: tuple[Correspondent, ...]
    cc: tuple[Correspondent, ...] = ()
    bcc: tuple[Correspondent, ...] = field(default=(), repr=False)
    reply_to: Correspondent | None = None
    subject: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    attachments: tuple[Attachment, ...] = ()

    def recipients(self) -> Iterator[str]:
        """Yield every recipient's address as it was given, in order, repetitions included."""
        return (mailbox.email for group in (self.to, self.cc, self.bcc) for mailbox in group)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A recipient the relay refused, with its SMTP status code and its text."""

    email: str
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class SubmissionReceipt:
    """What the relay took: the Message-ID, the recipients it accepted, and those it refused."""

    message_id: str
    accepted: tuple[str, ...]
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """Seconds to wait: for a connection with its greeting, for the reply to a command, and for a message in all."""

    connect: float
    reply: float
    total: float


@dataclass(slots=True)
class Envelope:
    """A message on its way.

    Args:
        recipients: ASCII addresses in the order of the request, with the spelling the caller gave.
        begun: set once its first byte has been handed over.
    """

    message_id: str
    sender: str
    recipients: dict[str, str]
    content: bytes = field(repr=False)
    begun: bool = False
