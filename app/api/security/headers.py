"""Headers that every answer carries, ready as they are sent."""

import re
from collections.abc import Iterable
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class WrittenHeaders(NamedTuple):
    """Headers that go out often: one by one, and as the lines in which HTTP/1.1 sends them."""

    fields: Headers
    lines: bytes


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write headers as lines, in order."""
    return b"".join([b"%b: %b\r\n" % each for each in headers])


def written(headers: Headers) -> WrittenHeaders:
    """Write headers once and for all.

    Raises:
        ValueError: one of them would not stay within its line.
    """
    if any(_CONTROL.search(name + value) for name, value in headers):
        raise ValueError("a header holds control characters")
    return WrittenHeaders(headers, lines_of(headers))


_POLICY = b"content-security-policy"
_OF_PAGES: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
HEADERS_OF_DATA = written((*_OF_PAGES, (_POLICY, b"default-src 'none'; frame-ancestors 'none'")))


def security_headers(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what is to be added to an answer's headers; a page that has a policy of its own keeps it."""
    for name, _ in given:
        if name == _POLICY:
            return _OF_PAGES
    return HEADERS_OF_DATA.fields
