"""Nobody outside chooses how long a header takes to read: steps grow as the header does, whatever it says."""

import re
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import caching, negotiation, request_head
from app.api.caching import directives_of, matches
from app.api.negotiation import is_json, media_type_of, preferred, preferred_wait, prefers_gzip
from app.api.request_head import RequestHead, TrustedProxies, is_within, presented_key, request_context
from app.errors import MalformedRequest

LONGEST = 16_384
NETWORKS = [IPv4Network("10.0.0.0/8")]


def _forwarded(value: str) -> object:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"forwarded", value.encode())]}
    return TrustedProxies(NETWORKS, "forwarded").client_address(scope)


def _listed(value: str) -> object:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", value.encode())]}
    return TrustedProxies(NETWORKS).client_address(scope)


def _key(value: str) -> object:
    try:
        return presented_key(RequestHead([(b"authorization", value.encode()), (b"x-api-key", value.encode())]))
    except MalformedRequest:
        return None


READERS: dict[str, Callable[[str], object]] = {
    "prefer": lambda value: preferred_wait([value]),
    "accept": lambda value: preferred(value, ["application/json", "text/csv"]),
    "accept-encoding": prefers_gzip,
    "content-type": lambda value: (is_json(value), media_type_of(value)),
    "cache-control": lambda value: directives_of(RequestHead([(b"cache-control", value.encode())])),
    "if-none-match": lambda value: matches(value, '"a"'),
    "forwarded": _forwarded,
    "x-forwarded-for": _listed,
    "authorization": _key,
    "traceparent": lambda value: request_context(RequestHead([(b"traceparent", value.encode())])),
    "x-request-id": lambda value: request_context(RequestHead([(b"x-request-id", value.encode())])),
    "address": lambda value: is_within(value, NETWORKS),
}


def steps(read: Callable[[str], object], value: str) -> int:
    """Count the lines of Python that reading takes, in whatever module."""
    counted = 0

    def on_event(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal counted
        counted += event == "line"
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        read(value)
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("name", READERS)
@given(piece=st.text('"\\,;= a1q*/W.[]:', min_size=1, max_size=6), tail=st.text('"\\,;= a', max_size=2))
def test_steps_grow_as_the_header_does(name: str, piece: str, tail: str) -> None:
    read = READERS[name]
    short, long = (steps(read, "wait=a" + piece * (length // len(piece)) + tail) for length in (400, 1600))
    assert long <= 5 * short + 500


HOSTILE = [
    'a"' + ',a\\"' * 4000,
    "for=" + " " * LONGEST + '"',
    '"' + '\\"' * 8000,
    ";" * LONGEST,
    '"a' * 8000,
    "; " * 8000,
]
WITHOUT_BACKTRACKING = re.compile(r"\((?!\?[:!=P]).*[*+].*\)[*+]|\\s[*+].*\\s[*+]")


@pytest.mark.parametrize("module", [caching, negotiation, request_head])
def test_patterns_have_nothing_to_go_back_to(module: object) -> None:
    """A repetition of repetitions, or two neighbours that take the same, is where a pattern's time explodes."""
    patterns = [each.pattern for each in vars(module).values() if isinstance(each, re.Pattern)]
    texts = [each.decode("latin-1") if isinstance(each, bytes) else each for each in patterns]
    assert [text for text in texts if WITHOUT_BACKTRACKING.search(text)] == []


@pytest.mark.parametrize("name", READERS)
def test_the_longest_headers_are_read(name: str) -> None:
    for value in HOSTILE:
        READERS[name](value[:LONGEST])
