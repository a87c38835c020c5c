"""Stand-ins: nothing of a value is left, its form is, and scrubbing twice is scrubbing once."""

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.doctor.scrubbing import CHINESE, NARROW, WIDE, Alphabet, Scrubber, alphabet_of

WORDS = st.text("abcxyzäßJKL0189王伟芳ж", min_size=3, max_size=12)
ADDRESSES = st.builds("{}.{}@{}.example".format, WORDS, WORDS, st.text("abcd", min_size=1, max_size=8))
TEXTS = st.lists(
    st.one_of(
        WORDS,
        ADDRESSES,
        st.from_regex(r"https?://[a-z]{3,9}\.example/[a-z0-9/?=&]{0,12}", fullmatch=True),
        st.dates().map(str),
        st.datetimes().map(lambda each: f"{each:%Y-%m-%d %H:%M}"),
        st.ip_addresses().map(str),
        st.integers().map(str),
        st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
        st.sampled_from(["0000-00-00", "2026-13-45", "&amp;", "&#20013;", "&#x4e2d;", "&", "&nbsp;", "![CDATA["]),
        st.text(max_size=6),
        st.text("\udc80\udce5\udcff", max_size=3),
    )
).flatmap(lambda parts: st.sampled_from(["", " ", "\t", "\n", "|", ",", ";", "-", "_"]).map(lambda by: by.join(parts)))


def scrub(text: str, alphabet: Alphabet = WIDE) -> str:
    """Scrub one text with a fresh scrubber."""
    return Scrubber().text(text, alphabet)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\r\n  li.na@shop.cn \r\n", "\r\n  user1@example.com \r\n"),
        ("a@b.cn;c@d.cn,a@b.cn", "user1@example.com;user2@example.com,user1@example.com"),
        ("用户@例子.中国", "user1@example.com"),
        ("新闻订阅 Beijing 2025", "文文文文 Aaaaaaa 1000"),
        ("News, news, News", "Aaaa, aaaa, Aaaa"),
        ("李娜 and 王伟", "文文 aaa 文字"),
        ("Zoë Müller", "Aaà Aàaaaa"),
        ("亚洲|中国|北京", "文文|文字|文名"),
        ("7", "7"),
        ("0", "0"),
        ("-3", "-3"),
        ("12", "10"),
        ("1200.00", "1000.00"),
        ("36.17%", "10.11%"),
        ("013500000001", "010000000000"),
        ("20260302093000-2369-46", "10000000000000-1000-10"),
        ("a1b2c3d4e5", "a0a0a0a0a0"),
        ("2026-03-02", "2020-01-01"),
        ("2026-03-02 09:30:04 2026-03-02 2026-03-02 09:30:04", "2020-01-01 12:00:00 2020-01-01 2020-01-01 12:00:00"),
        ("2026-3-2 9:30", "2020-1-1 12:00"),
        ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
        ("2026-13-45", "2020-13-01"),
        ("2026-03-02 25:00", "2020-13-01 12:00"),
        ("192.168.7.12", "192.0.2.1"),
        ("fe80::1%eth", "2001:db8::1%aaa"),
        ("https://shop.cn/sale?id=7&amp;u=li&s=9 x", "https://link1.example/?a&b a"),
        ("&lt;a href='http://shop.cn/'&gt;", "&lt;a aaaa='https://link1.example/'&gt;"),
        ("mail.shop.com.cn", "domain1.example"),
        ("&#29579;&#x4F1F; &#38;&#10;&#xFFFFFFF;", "&#97;&#x61; &#38;&#10;&#xFFFFFFF;"),
        ("![CDATA[王]]", "![CDATA[文]]"),
        ("R&D &nbsp;", "A&B &aaaa;"),
        ("\udccd\udcf5 x", "\udcff\udcff a"),
        ("👍 ok", "文 aa"),
    ],
)
def test_stand_ins(text: str, expected: str) -> None:
    assert scrub(text) == expected


def test_an_id_of_one_digit_is_an_id() -> None:
    scrubber = Scrubber()
    assert (scrubber.text("7", WIDE, is_id=True), scrubber.text("0", WIDE, is_id=True)) == ("1", "0")


def test_the_same_value_has_the_same_stand_in_everywhere() -> None:
    scrubber = Scrubber()
    first = scrubber.text("7020 li@shop.cn 7021", WIDE)
    assert scrubber.text("7021 li@shop.cn 7020", WIDE) == " ".join(reversed(first.split()))


def test_different_ids_stay_different() -> None:
    scrubber = Scrubber()
    for digits in (1, 2, 3):
        ids = [str(number) for number in range(10 ** (digits - 1), 10**digits)]
        assert len({scrubber.text(each, WIDE, is_id=True) for each in ids}) == len(ids)


@given(TEXTS)
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    # Stand-ins of letters are digits of IPv6 addresses, too.
    assume("::" not in text)
    once = scrub(text)
    assert scrub(once) == once


@given(st.lists(st.one_of(WORDS, ADDRESSES), min_size=1), st.sampled_from(" \t\n|,;"))
def test_nothing_of_a_value_is_left(values: list[str], by: str) -> None:
    # What is a stand-in already stays, and so does a single digit.
    marked = [f"qq{value}qq" for value in values]
    scrubbed = scrub(by.join(marked))
    assert not re.search("qq|x|王|伟|芳|ж|ä|ß", scrubbed.replace("example.com", ""))
    assert scrubbed.count(by) == len(values) - 1


@given(st.dates(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=2))
def test_the_form_of_a_value_is_kept(day: object, whole: int, broken: object) -> None:
    for value in (str(day), f"{day} 12:30:00", str(whole), str(broken)):
        digit = re.compile(r"\d")
        assert digit.sub("9", scrub(value)) == digit.sub("9", value)


@pytest.mark.parametrize(("encoding", "alphabet"), [("cp1252", NARROW), ("big5", CHINESE), ("gb18030", WIDE)])
def test_stand_ins_can_be_written(encoding: str, alphabet: Alphabet) -> None:
    assert alphabet_of(encoding) == alphabet
    text = bytes(range(32, 127)).decode() + (alphabet.latin + alphabet.others) * 3
    assert scrub(text, alphabet).encode(encoding)


@pytest.mark.parametrize("text", ["a-" * 40_000, "a." * 40_000, "ab" * 40_000, "::" * 40_000, "+a" * 40_000])
def test_a_long_text_takes_no_long_time(text: str) -> None:
    # Seconds where it takes hundredths of one; looking through all of it from each word would take minutes.
    started = time.process_time()
    scrub(text)
    assert time.process_time() - started < 20
