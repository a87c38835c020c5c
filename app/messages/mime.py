"""A message as the bytes that go over the wire (RFC 5322, RFC 2045): ASCII throughout, lines within 998 bytes."""

import base64
import email.policy
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import idna
from email_validator import validate_email

from app.messages.models import Attachment, Correspondent, Message


def ascii_address(address: str) -> str:
    """Return an address with its domain as A-labels in lower case.

    Raises:
        email_validator.EmailNotValidError: not an address, or one whose local part is not ASCII.
    """
    found = validate_email(address, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False)
    return f"{found.ascii_local_part}@{found.ascii_domain}"


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


_LINE = 78
_LONGEST_TOKEN = 900
_WORD_BYTES = 45
_PRINTABLE = re.compile(r"[ -~]*")
_ENCODED_WORD = re.compile(r"=\?.*\?[bBqQ]\?.*\?=")
_DOMAIN_IN_TEXT = re.compile(r"(?:(?<=://)|(?<=@))[^\s/:?#@<>,]+")
_STRUCTURED = frozenset(
    {"message-id", "in-reply-to", "references", "auto-submitted", "precedence", "importance", "x-priority", "priority"}
    | {"disposition-notification-to", "return-receipt-to", "errors-to", "feedback-id", "x-mailer-id"}
)
_QUOTED = re.compile(r'(["\\])')


def text_field(name: str, value: str) -> bytes:
    """Return a header field whose value is free text without control characters, nor white space at its ends."""
    tokens = value.split(" ")
    if _goes_as_it_is(value) and max(map(len, tokens)) <= _LONGEST_TOKEN:
        return _folded(name, tokens)
    return _folded(name, _encoded_words(value))


def structured_field(name: str, value: str) -> bytes:
    """Return a header field that programs read: never encoded, folded only at its spaces.

    Raises:
        ValueError: it has text outside ASCII elsewhere than in a domain, or a part that no line may hold.
    """
    written = _DOMAIN_IN_TEXT.sub(_a_labels, value)
    tokens = written.split(" ")
    if not _PRINTABLE.fullmatch(written) or max(map(len, tokens)) > _LONGEST_TOKEN:
        raise ValueError(f"{name} cannot be written in ASCII")
    return _folded(name, tokens)


def is_structured(name: str) -> bool:
    """Tell whether programs read a header field, so that it must not have encoded words."""
    return name.lower() in _STRUCTURED or name.lower().startswith("list-")


def _a_labels(found: re.Match[str]) -> str:
    try:
        return idna.encode(found[0], uts46=True).decode()
    except idna.IDNAError:
        return found[0]


def mailbox_field(name: str, mailboxes: Iterable[Correspondent]) -> bytes:
    """Return a header field that lists mailboxes."""
    tokens: list[str] = []
    for mailbox in mailboxes:
        if tokens:
            tokens[-1] += ","
        tokens += _mailbox(mailbox)
    return _folded(name, tokens)


def _mailbox(mailbox: Correspondent) -> list[str]:
    address = ascii_address(mailbox.email)
    if not mailbox.name:
        return [address]
    return [*_phrase(mailbox.name), f"<{address}>"]


def _phrase(name: str) -> Iterable[str]:
    if _goes_as_it_is(name):
        return ['"' + _QUOTED.sub(r"\\\1", name) + '"']
    return _encoded_words(name)


def _goes_as_it_is(value: str) -> bool:
    # Text that looks like an encoded word would be decoded by its reader.
    return bool(_PRINTABLE.fullmatch(value)) and not _ENCODED_WORD.search(value)


def _encoded_words(value: str) -> Iterator[str]:
    chunk = b""
    for character in value:
        encoded = character.encode()
        if len(chunk) + len(encoded) > _WORD_BYTES:
            yield _encoded_word(chunk)
            chunk = b""
        chunk += encoded
    yield _encoded_word(chunk)


def _encoded_word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode()}?="


def _folded(name: str, tokens: Iterable[str]) -> bytes:
    line, lines = f"{name}:", []
    for token in tokens:
        # An empty token stands between two spaces; a line must not consist of white space alone.
        if token and len(line) + 1 + len(token) > _LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {token}"
    return "\r\n".join([*lines, line, ""]).encode("ascii")


_BUILDING = email.policy.SMTP.clone(cte_type="7bit")
# Wide enough that the library never breaks a Content-ID, which it would do by encoding it.
_WRITING = _BUILDING.clone(max_line_length=200)


def compose(message: Message, message_id: str, date: datetime) -> bytes:
    """Return a message with CRLF line ends; blind copies leave no trace in it."""
    return _envelope_headers(message, message_id, date) + _body(message).as_bytes(policy=_WRITING)


def further_field(name: str, value: str) -> bytes:
    """Return a header field that the author has chosen.

    Raises:
        ValueError: it is one that programs read, and cannot be written in ASCII.
    """
    return structured_field(name, value) if is_structured(name) else text_field(name, value)


def _envelope_headers(message: Message, message_id: str, date: datetime) -> bytes:
    fields = [
        mailbox_field("From", [message.sender]),
        mailbox_field("To", message.to),
        mailbox_field("Cc", message.cc) if message.cc else b"",
        mailbox_field("Reply-To", [message.reply_to]) if message.reply_to else b"",
        text_field("Subject", message.subject),
        text_field("Date", format_datetime(date)),
        structured_field("Message-ID", message_id),
        *(further_field(name, value) for name, value in message.headers.items()),
    ]
    return b"".join(fields)


def _body(message: Message) -> EmailMessage:
    root = _written(message)
    for attachment in message.attachments:
        if not attachment.content_id:
            main, _, sub = attachment.media_type.partition("/")
            root.add_attachment(
                attachment.content, main, sub, filename=attachment.filename, params=dict(attachment.parameters)
            )
    return root


def _written(message: Message) -> EmailMessage:
    """Return what there is to read: the plain text, the HTML with the parts it shows, or the choice of both."""
    root = EmailMessage(policy=_BUILDING)
    if message.text is not None:
        root.set_content(message.text)
    if message.html is None:
        return root
    html = _page(message.html, [each for each in message.attachments if each.content_id])
    if message.text is None:
        return html
    root.make_alternative()
    root.attach(html)
    return root


def _page(html: str, shown: list[Attachment]) -> EmailMessage:
    page = EmailMessage(policy=_BUILDING)
    page.set_content(html, subtype="html")
    for each in shown:
        main, _, sub = each.media_type.partition("/")
        page.add_related(
            each.content,
            main,
            sub,
            cid=f"<{each.content_id}>",
            disposition="inline",
            filename=each.filename,
            params=dict(each.parameters),
        )
    if shown:
        # RFC 2387, section 3.1: the type of the root part is a required parameter.
        page.set_param("type", "text/html")
    return page
