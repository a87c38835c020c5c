"""Pieces that need no socket: writing XML, times, addresses, lines, the table of dialect."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.sandbox import dialect, operations
from app.sandbox.lines import dns_configured, is_address, is_domain, read_lines, split_file
from app.sandbox.times import local_date, parse_date, parse_time, stamp


def test_values_are_escaped() -> None:
    assert dialect.leaf("a", "<&>") == "<a>&lt;&amp;&gt;</a>\r\n"
    assert dialect.leaf("a") == "<a></a>\r\n"
    assert dialect.cdata("a", "]]>") == "<a><![CDATA[]]]]><![CDATA[>]]></a>\r\n"
    assert dialect.padded("a", "&") == "<a>\r\n   &amp;\r\n </a>\r\n"


def test_result() -> None:
    text = dialect.result("success", "好", record_id=3, stray=True).body.decode()
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<result>\r\n<status>\r\n   success\r\n </status>\r\n'
        "<id>3</id>\r\n<data><![CDATA[好]]></data>;\r\n</result>\r\n"
    )


def test_times_are_written_in_china() -> None:
    moment = datetime(2026, 11, 22, 17, 4, 5, tzinfo=UTC)
    assert (stamp(moment), stamp(None)) == ("2026-11-23 01:04:05", "0000-00-00 00:00:00")
    assert stamp(datetime(1, 2, 3, 4, 5, 6, 7, tzinfo=UTC)) == "0001-02-03 12:05:06"
    assert local_date(moment) == date(2026, 11, 23)


@pytest.mark.parametrize("text", ["2026-11-23 01:04:05", "2026-11-23 1:4:5"])
def test_times_are_read_in_china(text: str) -> None:
    assert parse_time(text) == datetime(2026, 11, 22, 17, 4, 5, tzinfo=UTC)


def test_short_forms_of_a_time() -> None:
    assert parse_time("2017-7-4 16:08") == datetime(2017, 7, 4, 8, 8, tzinfo=UTC)
    assert parse_time("2017-7-4") == datetime(2017, 7, 3, 16, tzinfo=UTC)
    assert parse_time("2017-13-4") is None


def test_dates_have_one_form() -> None:
    assert parse_date("2012-03-02") == date(2012, 3, 2)
    assert [parse_date(text) for text in ("2012-3-2", "20120302", "0000-00-00", "")] == [None] * 4


def test_addresses_and_domains() -> None:
    assert is_address("o'neil+x@mail.example.com")
    assert not any(
        is_address(text) for text in ("a@b", "a@-b.com", "A@example.com", "a@@example.com", "a;b@example.com")
    )
    assert is_domain("xn--fiq228c.example")
    assert not any(is_domain(text) for text in ("example", "-a.example", "a..example", "http://a.example"))
    names = ("verified.a.example", "verified-a.example", "unverified.example", "a.example")
    assert [dns_configured(name) for name in names] == [True, True, False, False]


def test_lines() -> None:
    (one, bad) = read_lines(["a@example.com", ";x"])
    assert bad is None
    assert one is not None
    assert (one.address, one.fullname, one.sex, one.birthday, one.variables) == ("a@example.com", None, None, None, {})
    assert list(read_lines(["", " ;; ", "邮件地址"])) == []
    assert split_file(b"a\r\nb\rc\n") == ["a", "b", "c", ""]


def test_table_of_errors_is_what_the_operations_use() -> None:
    folder = Path(operations.__file__).parent
    sources = "".join(path.read_text() for path in [*folder.glob("*.py"), *folder.parent.glob("[!e]*.py")])
    sources += (folder.parent / "endpoints.py").read_text()
    assert [code for code in dialect.MESSAGES if f'"{code}"' not in sources] == []
