"""Decoding the platform's XML: what is repaired, what is refused, and that nothing else changes."""

import xml.etree.ElementTree as ET

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from app.upstream.xml import MAX_DEPTH, NotWellFormed, decode_text, looks_like_html, parse

DECLARED = '<?xml version="1.0" encoding="{}"?><a>张三</a>'


class TestDecodeText:
    @pytest.mark.parametrize("encoding", ["gbk", "GB2312", "gb18030", "UTF-8"])
    def test_declaration_decides(self, encoding: str) -> None:
        body = DECLARED.format(encoding).encode("gb18030" if encoding.lower().startswith("gb") else encoding)
        text, clean = decode_text(body)
        assert clean
        assert text.endswith("<a>张三</a>")

    def test_header_decides_without_a_declaration(self) -> None:
        assert decode_text("<a>张三</a>".encode("gbk"), "text/html; charset=GBK") == ("<a>张三</a>", True)

    def test_declaration_wins_over_header(self) -> None:
        assert decode_text(DECLARED.format("utf-8").encode(), "text/html; charset=gbk")[0].endswith("<a>张三</a>")

    def test_unknown_charset_means_utf8(self) -> None:
        assert decode_text("<a>张</a>".encode(), "text/xml; charset=klingon") == ("<a>张</a>", True)

    def test_byte_order_mark_is_removed(self) -> None:
        assert decode_text(b"\xef\xbb\xbf<a/>") == ("<a/>", True)
        assert decode_text("<a>张</a>".encode("utf-16")) == ("<a>张</a>", True)

    def test_character_cut_in_the_middle_costs_that_character_only(self) -> None:
        text, clean = decode_text("<a><n>张三</n><n>李".encode()[:-1] + b"</n></a>")
        assert not clean
        assert "<n>张三</n>" in text
        assert "\ufffd" in text


class TestParse:
    @pytest.mark.parametrize(
        ("text", "content"),
        [
            ("\n\r\n <?xml version='1.0' encoding='gbk'?>\n<a>1</a>", "1"),
            ("<a>\r\n   success\r\n </a>", "success"),
            ("<a>Tom & Jerry &amp; &#20013; &nbsp;</a>", "Tom & Jerry & 中 &nbsp;"),
            ("<a><![CDATA[a & b <c> &amp;]]> & d</a>", "a & b <c> &amp; & d"),
            ("<a>x\x00\x0by&#0;&#x1F;z&#9;</a>", "xyz"),
            ("<a>\x01<![CDATA[x&#8;y & z]]></a>", "x&#8;y & z"),
            ("<a></a >", None),
        ],
    )
    def test_repairs_what_cannot_change_a_value(self, text: str, content: str | None) -> None:
        assert parse(text) == ("a", content)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "plain text",
            "<a>",
            "<a><b>1</b>",
            "<data><user/><data>",
            "<send_id>1</task_sn>",
            "<a/><b/>",
            "<a/>trailing",
            "<a b=1/>",
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>',
        ],
    )
    def test_refuses_everything_else(self, text: str) -> None:
        with pytest.raises(NotWellFormed):
            parse(text)

    def test_refusal_quotes_nothing(self) -> None:
        with pytest.raises(NotWellFormed) as caught:
            parse("<a>secret-value<b></a>")
        assert "secret-value" not in str(caught.value)

    def test_depth_is_capped(self) -> None:
        assert parse("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH)[0] == "a"
        with pytest.raises(NotWellFormed, match="levels"):
            parse("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1))

    def test_sections_without_an_end_are_refused_at_once(self) -> None:
        with pytest.raises(NotWellFormed):
            parse("<a>" + "<![CDATA[ & " * 100_000)

    def test_siblings_do_not_add_up_to_depth(self) -> None:
        assert len(parse("<a>" + "<b><c/></b>" * 1000 + "</a>")[1]["b"]) == 1000


names = st.sampled_from(["a", "b", "item", "descrīption", "名"])
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> ET.Element:
    element = ET.Element(draw(names))
    if depth and draw(st.booleans()):
        element.extend(draw(st.lists(elements(depth=depth - 1), min_size=1, max_size=3)))
    else:
        element.text = draw(texts)
    return element


@given(elements())
def test_well_formed_documents_read_as_the_reference_reads_them(element: ET.Element) -> None:
    text = ET.tostring(element, encoding="unicode")
    root, content = parse(text)
    assert {root: content} == xmltodict.parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except NotWellFormed:
        return
    assert "<" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!DOCTYPE html><html>", True),
        ("\n\n<HTML lang=zh>", True),
        ("<!-- nginx --> <html>", True),
        ("<?xml version='1.0'?><html/>", False),
        ("<result><html/></result>", False),
    ],
)
def test_web_pages_are_recognised(text: str, expected: bool) -> None:
    assert looks_like_html(text) is expected


def test_comments_without_a_web_page_are_looked_at_once() -> None:
    assert not looks_like_html("<!-- -->" * 10_000 + "<list/>")
