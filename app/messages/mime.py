"""A message as the bytes that go over the wire (RFC 5322, RFC 2045): ASCII throughout, lines within 998 bytes."""

import email.policy
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from app.messages.headers import is_structured, mailbox_field, structured_field, text_field
from app.messages.models import Attachment, Message

_BUILDING = email.policy.SMTP.clone(cte_type="7bit")
# Wide enough that the library never breaks a Content-ID, which it would do by encoding it.
_WRITING = _BUILDING.clone(max_line_length=200)


def compose(message: Message, message_id: str, date: datetime) -> bytes:
    """Return a message with CRLF line ends; blind copies leave no trace in it.

    Args:
        message: what to write.
        message_id: the Message-ID with its angle brackets.
        date: an aware time.
    """
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
