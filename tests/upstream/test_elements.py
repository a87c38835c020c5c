"""The fast way to dictionaries: the same as the library's for every document that both take."""

from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape, quoteattr

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from app.upstream.elements import Special, TooDeep, parse_plain

REPLIES = sorted((Path(__file__).parents[1] / "golden").rglob("*.xml"))

names = st.sampled_from(["a", "b", "item", "名", "_x-1"])
texts = st.text(st.sampled_from("ab 1\t\n\r\u00a0\u3000中&<>]\U0001f600"), max_size=6)
pieces = st.one_of(
    texts.map(escape),
    texts.map(lambda text: f"<![CDATA[{text.replace(']]>', '')}]]>"),
    st.sampled_from(["<!-- note -->", "<?target data?>", "&#65;", "&amp;", "\r\n  "]),
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(names)
    attributes = draw(st.dictionaries(names, texts, max_size=2))
    below = st.one_of(pieces, elements(depth - 1)) if depth else pieces
    content = "".join(draw(st.lists(below, max_size=4)))
    head = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{head}>{content}</{name}>" if content or draw(st.booleans()) else f"<{name}{head}/>"


def by_the_library(text: str) -> tuple[str, Any]:
    ((root, content),) = xmltodict.parse(text).items()
    return root, content


def by_the_library_if_well_formed(text: str) -> tuple[str, Any] | None:
    try:
        return by_the_library(text)
    except ExpatError:
        return None


@given(elements())
def test_generated_documents_become_the_same(text: str) -> None:
    assert parse_plain(text, levels=16) == by_the_library(text)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recorded_replies_become_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8").strip()
    text = text[text.index("?>") + 2 :].strip() if text.startswith("<?xml") else text
    expected = None if "<!DOCTYPE" in text else by_the_library_if_well_formed(text)
    if expected is None:
        with pytest.raises(Special):
            parse_plain(text, levels=16)
    else:
        assert parse_plain(text, levels=16) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<a xmlns="urn:x"/>',
        '<x:a xmlns:x="urn:x"/>',
        "<x:a/>",
        '<a xml:lang="zh"/>',
        "<a>",
        "<a/><b/>",
        "<a>&nbsp;</a>",
        "",
    ],
)
def test_what_is_special_is_left_to_the_library(text: str) -> None:
    with pytest.raises(Special):
        parse_plain(text, levels=16)


@pytest.mark.parametrize("leaf", ["", "<a/>", "<a b='c'/>", "text"])
def test_levels_are_counted(leaf: str) -> None:
    deep = "<a>" * 4 + leaf + "</a>" * 4
    levels = 5 if "<" in leaf else 4
    assert parse_plain(deep, levels=levels) == by_the_library(deep)
    with pytest.raises(TooDeep):
        parse_plain(deep, levels=levels - 1)
