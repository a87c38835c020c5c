"""Header fields as bytes: folded (RFC 5322, section 2.2.3), with RFC 2047 encoded words where text needs them.

The standard library's own folding loses white space between encoded words and misquotes names on some of the Python
versions that are supported; what the header says must not depend on the patch level.
"""

import base64
import re
from collections.abc import Iterable, Iterator

import idna

from app.messages.addresses import ascii_address
from app.messages.models import Correspondent

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
