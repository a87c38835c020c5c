"""Scrubbing documents: no value is left, the structure is, and scrubbing twice is scrubbing once."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doctor.findings import NotRecordable
from app.doctor.markup import scrub_reply
from app.doctor.scrubbing import Scrubber
from tests.support.documents import as_trees

REPLIES = sorted((Path(__file__).parents[1] / "golden").glob("*/*/*.reply*"))
SECRET = "qq"
"""In every value that is made up here, and in no stand-in."""

VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12).map(
    lambda value: f"{SECRET}{value}{SECRET}"
)
LEAVES = st.one_of(
    st.just(""),
    st.just("\r\n "),
    VALUES.map(escape),
    VALUES.map(lambda value: f"<![CDATA[{value.replace(']]>', '')}]]>"),
    VALUES.map(lambda value: f"\r\n  {escape(value)}@shop.example \r\n"),
    VALUES.map(lambda value: f"<!--{value.replace('-', '')}-->"),
    st.dates().map(str),
    st.integers().map(str),
)
NAMES = st.sampled_from(["id", "name", "list_id", "descrīption", "new_in_v20"])


def element(name: str, attribute: str | None, content: str) -> str:
    """Write an element."""
    attributes = "" if attribute is None else f" note={quoteattr(attribute)}"
    return f"<{name}{attributes}>{content}</{name}>"


ELEMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(st.builds(element, NAMES, st.none() | VALUES, inner), min_size=1, max_size=3).map("\n".join),
    max_leaves=12,
)


def scrub(body: bytes) -> bytes:
    """Scrub a reply with fresh stand-ins, and without a word that may stay."""
    return scrub_reply(body, "", Scrubber(), known=lambda _path, _value: False, keep=())


def structure(node: Any) -> Any:
    """Return a document without its values."""
    if isinstance(node, dict):
        return {name: structure(content) for name, content in node.items()}
    if isinstance(node, list):
        return [structure(each) for each in node]
    return node is None


@given(ELEMENTS)
def test_made_up_documents(content: str) -> None:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\r\n<data>{content}</data>'.encode()
    scrubbed = scrub(body)
    assert SECRET.encode() not in scrubbed
    before, after = as_trees(body.decode()), as_trees(scrubbed.decode())
    assert (after.root, structure(after.content)) == (before.root, structure(before.content))
    assert scrub(scrubbed) == scrubbed


@pytest.mark.parametrize(
    "reply", REPLIES, ids=lambda reply: f"{reply.parent.parent.name}.{reply.parent.name}.{reply.stem}"
)
def test_golden_replies_scrubbed_twice(reply: Path) -> None:
    try:
        scrubbed = scrub(reply.read_bytes())
    except NotRecordable:
        assert reply.parent.name in {"add_batch", "contacts", "addresses", "delete"}
    else:
        assert scrub(scrubbed) == scrubbed


@pytest.mark.parametrize("body", [b"<a>x</a><", b"<a b=c'>x</a>", b"<a><!-- x </a>", b"<![CDATA[x]]</a>"])
def test_what_is_no_markup(body: bytes) -> None:
    with pytest.raises(NotRecordable, match="cannot be told"):
        scrub(body)


def test_words_that_may_stay() -> None:
    def known(path: str, value: str) -> bool:
        return (path, value) == ("a/status", "enabled")

    body = b"<a><status> enabled </status><status>geheim</status><name>enabled</name></a>"
    scrubbed = scrub_reply(body, "", Scrubber(), known=known, keep=())
    assert scrubbed == b"<a><status> enabled </status><status>aaaaaa</status><name>aaaaaaa</name></a>"
    assert scrub_reply(b"Name\tli", "", Scrubber(), known=known, keep=["Name"]) == b"Name\taa"
