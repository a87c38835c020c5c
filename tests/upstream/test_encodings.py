"""Decoding replies: valid UTF-8 whatever is claimed, else what is declared, else GB 18030; never with U+FFFD."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.upstream.encodings import TextDecoder, Undecodable, codec_of, decode_text, encoding_of

TEXT = "<l>张三 &amp; 李四</l>"


@pytest.mark.parametrize("label", ["cp936", "GB2312", "x-gbk", "gbk", "gb18030", "GB_2312-80", "chinese"])
def test_labels_of_chinese(label: str) -> None:
    declared = f'<?xml version="1.0" encoding="{label}"?>{TEXT}'
    assert decode_text(declared.encode("gb18030")) == (declared, True)
    assert decode_text(TEXT.encode("gb18030"), f"text/xml; charset={label}") == (TEXT, True)


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("big5-hkscs", "big5hkscs", "張三"),
        ("Shift_JIS", "cp932", "日本"),
        ("euc-kr", "cp949", "한국"),
        ("latin1", "cp1252", "café € ü"),
        ("windows-1251", "cp1251", "Привет"),
        ("iso-8859-2", "iso8859-2", "Łódź"),
    ],
)
def test_other_labels(label: str, codec: str, text: str) -> None:
    assert decode_text(text.encode(codec), f"text/plain; charset={label}") == (text, True)


@pytest.mark.parametrize("claimed", ["", "text/xml; charset=ISO-8859-1", "text/xml; charset=gbk", "x; charset=klingon"])
def test_valid_utf8_is_utf8(claimed: str) -> None:
    assert decode_text(TEXT.encode(), claimed) == (TEXT, claimed in {"", "x; charset=klingon"})


def test_what_declares_nothing_or_utf8_and_is_neither_is_gb18030() -> None:
    for declared in ("", '<?xml version="1.0" encoding="UTF-8"?>'):
        assert decode_text((declared + TEXT).encode("gbk")) == (declared + TEXT, False)


def test_byte_order_marks_decide() -> None:
    assert decode_text(b"\xef\xbb\xbf" + TEXT.encode(), "text/xml; charset=gbk")[0] == TEXT
    assert decode_text(TEXT.encode("utf-16")) == (TEXT, True)


def test_the_declaration_comes_before_the_header() -> None:
    declared = '<?xml version="1.0" encoding="big5"?><l>張三</l>'
    assert decode_text(declared.encode("big5"), "text/xml; charset=shift_jis") == (declared, True)


@pytest.mark.parametrize("body", ["张三李四王五".encode()[:-1] + b"</l>", b"abc\xff"])
def test_where_no_reading_is_right_there_is_none(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_text(body)
    with pytest.raises(Undecodable):
        TextDecoder("").feed(body, final=True)


def test_a_label_that_is_no_text_is_none() -> None:
    assert [codec_of(label) for label in ("rot13", "zlib", "idna", "utf-7", "")] == [None] * 5


def test_the_encoding_of_a_beginning_may_be_told_though_its_last_character_is_cut() -> None:
    assert encoding_of("张三".encode()[:-1], "") == "utf-8"


@given(
    text=st.text(st.characters(codec="gb18030", exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=600),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=20),
)
def test_pieces_are_decoded_as_the_whole_is(text: str, encoding: str, sizes: list[int]) -> None:
    body = text.encode(encoding)
    content_type = f"text/plain; charset={encoding}"
    try:
        whole = decode_text(body, content_type)[0]
    except Undecodable:
        return
    decoder, found, at = TextDecoder(content_type), "", 0
    try:
        while at < len(body):
            found += decoder.feed(body[at : at + sizes[at % len(sizes)]])
            at += sizes[at % len(sizes)]
        found += decoder.feed(b"", final=True)
    except Undecodable:
        # What begins as valid UTF-8 and goes on as something else is cut rather than guessed at.
        assert encoding == "gb18030"
        return
    assert found == whole
