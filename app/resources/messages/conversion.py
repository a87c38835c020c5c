"""Between the public models of messages and the ones that are submitted."""

import mimetypes
import re
from functools import cache

from app.messages.models import Attachment, Correspondent, Message, SubmissionReceipt
from app.resources.messages import schemas

_PARAMETER = re.compile(r'; ?([^=;]+)=(?:"([^"]*)"|([^;]*))')
_UNKNOWN_TYPE = "application/octet-stream"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"
_FURTHER_TYPES = {
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".dotx": f"{_OFFICE}.wordprocessingml.template",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xltx": f"{_OFFICE}.spreadsheetml.template",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".ppsx": f"{_OFFICE}.presentationml.slideshow",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".odt": f"{_ODF}.text",
    ".ods": f"{_ODF}.spreadsheet",
    ".odp": f"{_ODF}.presentation",
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
    ".md": "text/markdown",
    ".rtf": "application/rtf",
    ".epub": "application/epub+zip",
    ".7z": "application/x-7z-compressed",
    ".rar": "application/vnd.rar",
    ".gz .tgz": "application/gzip",
    ".wps": "application/vnd.ms-works",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".svg": "image/svg+xml",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".webm": "video/webm",
    ".woff2": "font/woff2",
}


def outgoing(body: schemas.NewMessage) -> Message:
    """Return the message that a request describes."""
    return Message(
        sender=_mailbox(body.sender),
        to=_mailboxes(body.to),
        cc=_mailboxes(body.cc),
        bcc=_mailboxes(body.bcc),
        reply_to=_mailbox(body.reply_to) if body.reply_to else None,
        subject=body.subject,
        html=body.html,
        text=body.text,
        headers=body.headers,
        attachments=tuple(_attachment(each) for each in body.attachments),
    )


def submitted(receipt: SubmissionReceipt) -> schemas.SubmittedMessage:
    """Return the public form of a receipt."""
    return schemas.SubmittedMessage(
        message_id=receipt.message_id,
        accepted=list(receipt.accepted),
        rejected=[
            schemas.RejectedRecipient(email=each.email, code=each.code, message=each.message)
            for each in receipt.rejected
        ],
    )


def _mailboxes(mailboxes: list[schemas.NamedAddress]) -> tuple[Correspondent, ...]:
    return tuple(_mailbox(each) for each in mailboxes)


def _mailbox(mailbox: schemas.NamedAddress) -> Correspondent:
    return Correspondent(mailbox.email, mailbox.name)


def _attachment(attachment: schemas.MessageAttachment) -> Attachment:
    content_type = attachment.content_type or _guessed(attachment.filename)
    media_type, _, _ = content_type.partition(";")
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(content_type)}
    return Attachment(
        attachment.filename, media_type.lower(), attachment.content_base64, parameters, attachment.content_id
    )


def _guessed(filename: str) -> str:
    media_type, encoding = _types().guess_type(f"x{_suffix(filename)}")
    if media_type is None or encoding is not None or media_type.startswith("message/"):
        return _UNKNOWN_TYPE
    return media_type


@cache
def _types() -> mimetypes.MimeTypes:
    # Made without the system's own tables, which differ from machine to machine; the library's own lacks these.
    types = mimetypes.MimeTypes()
    for suffixes, media_type in _FURTHER_TYPES.items():
        for suffix in suffixes.split():
            types.add_type(media_type, suffix)
    return types


def _suffix(filename: str) -> str:
    # The library takes a whole name for a URL and would read `data:…` as one.
    stem, dot, suffix = filename.rpartition(".")
    return dot + suffix if stem else ""
