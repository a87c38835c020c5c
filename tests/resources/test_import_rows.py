"""Rows of imports: whatever the form, and however its bytes arrive, what is written is what a batch would write."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import MalformedRequest, ValidationFailed
from app.resources.imports.body import texts
from app.resources.imports.checking import AddressTally
from app.resources.imports.csv_table import CsvRows
from app.resources.imports.json_rows import JsonDocument, JsonLines
from app.resources.imports.rows import RowFormat
from app.resources.imports.schemas import OnInvalid
from tests.support.imports import GOOD, HOSTILE_ROWS, NAMES, ROWS, csv_of, read, without_blanks, written

# Every example runs an event loop and a thread of its own.


class TestForms:
    @given(ROWS)
    def test_lines_write_what_a_batch_writes(self, rows: list[dict[str, Any]]) -> None:
        body = "\n".join(json.dumps(row) for row in rows)
        assert read(JsonLines(), body).content == "".join(f"{written(row)}\n" for row in rows)

    @given(ROWS, st.booleans(), st.sampled_from([None, 0, "\t"]))
    def test_a_document_writes_what_a_batch_writes(
        self, rows: list[dict[str, Any]], ascii_only: bool, indent: int | str | None
    ) -> None:
        body = json.dumps({"contacts": rows}, ensure_ascii=ascii_only, indent=indent)
        assert read(JsonDocument(), body).content == "".join(f"{written(row)}\n" for row in rows)

    @given(ROWS, st.permutations(NAMES))
    def test_csv_writes_what_a_batch_writes(self, rows: list[dict[str, Any]], names: list[str]) -> None:
        rows = [without_blanks(row) for row in rows]
        expected = "".join(f"{written(row)}\n" for row in rows)
        assert read(CsvRows(), csv_of(rows, tuple(names))).content == expected

    @given(st.lists(HOSTILE_ROWS, min_size=1, max_size=4))
    def test_every_row_is_judged_as_the_full_check_does(self, rows: list[dict[str, Any]]) -> None:
        rows = [*rows, GOOD]
        good = [line for row in rows if (line := written(row)) is not None]
        for form, body in (
            (JsonLines(), "\n".join(json.dumps(row) for row in rows)),
            (JsonDocument(), json.dumps({"contacts": rows})),
        ):
            outcome = read(form, body, on_invalid="skip")
            assert outcome.content == "".join(f"{line}\n" for line in good)
            assert outcome.counts.skipped == len(rows) - len(good)


class TestCsvAsPeopleWriteIt:
    @pytest.mark.parametrize(
        ("body", "lines"),
        [
            ("email,name,\na@example.com,A,\nb@example.com,B,,\n", ["a@example.com;A", "b@example.com;B"]),
            ('email, name\na@example.com, "Anna"\n', ["a@example.com;Anna"]),
            (" email ,sex\n a@example.com , female \n", ["a@example.com;;F"]),
            ("email,name\n'+86a@example.com,'-x\n", ["+86a@example.com;-x"]),
            ("email,name\na@example.com,''=x\n", ["a@example.com;'=x"]),
        ],
    )
    def test_is_read(self, body: str, lines: list[str]) -> None:
        assert read(CsvRows(), body).content.splitlines() == lines

    def test_but_a_cell_too_many_is_refused(self) -> None:
        outcome = read(CsvRows(), "email,name,\na@example.com,A,B\nb@example.com,B\n", on_invalid="skip")
        assert outcome.content == "b@example.com;B\n"


JSON_SCRAPS = st.lists(
    st.sampled_from(
        [
            *(
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                '"',
                "\\",
                " ",
                "\n",
                "\r\n",
                "\ufeff",
                "1",
                "-",
                "null",
                "NaN",
                "1e5",
                "tru",
            ),
            *(
                '"contacts"',
                '"contacts":[',
                '"list_id"',
                '{"email":"a@example.com"}',
                "李",
                "\\u674",
                '"\\ud83d\\ude00"',
            ),
            *('{"email":"a@example.com","name":"\\u674e😀"}', '{"email":"x"}', '[{"a":[1,2]}]', "{}", "}]}", "]}"),
        ]
    ),
    max_size=12,
).map("".join)
CSV_SCRAPS = st.lists(
    st.sampled_from(
        [
            *("email", "name", ",", '"', '""', "\r", "\n", "\r\n", " ", "\0", "\ufeff", ";", "a@example.com", "nobody"),
            *(
                "email,name\r\n",
                "email\n",
                'a@example.com,"x ""y"""\r\n',
                'a@example.com,"two\r\nlines"\n',
                "李娜",
                "😀",
            ),
            *("b@example.com,B\n", "c@example.com\r", ",,\n", 'd@example.com,5" disk\n', 'e@example.com,"x"y\n'),
        ]
    ),
    max_size=12,
).map("".join)
CUTS = st.lists(st.integers(0, 500), max_size=6)


class TestChunks:
    """Any chunking of a body, in blocks of any size, gives the same result as the whole."""

    @given(JSON_SCRAPS, CUTS, st.integers(1, 20))
    @example('{"contacts":[1,12 ,{"email":"a@example.com"}]}', [], 1)
    def test_documents(self, body: str, cuts: list[int], size: int) -> None:
        for text in (body, f'{{"contacts":[{body}]}}', f'{{"contacts":[{{"email":"a@example.com"}},{body}'):
            assert read(JsonDocument(), text, cuts=cuts, size=size) == read(JsonDocument(), text)

    @given(JSON_SCRAPS, CUTS, st.integers(1, 20))
    def test_lines(self, body: str, cuts: list[int], size: int) -> None:
        text = f'{body}\n{{"email":"a@example.com"}}\n{body}'
        assert read(JsonLines(), text, cuts=cuts, size=size) == read(JsonLines(), text)

    @given(CSV_SCRAPS, CUTS, st.integers(1, 20), st.sampled_from(["reject", "skip"]))
    def test_tables(self, body: str, cuts: list[int], size: int, on_invalid: OnInvalid) -> None:
        for text in (body, f"email,name\n{body}", f"email,name\r\na@example.com,A\r{body}"):
            whole = read(CsvRows(), text, on_invalid=on_invalid)
            assert read(CsvRows(), text, cuts=cuts, size=size, on_invalid=on_invalid) == whole

    @given(st.text(max_size=20), st.binary(max_size=4), CUTS, st.integers(1, 8), st.sampled_from(["utf-8", "gb18030"]))
    def test_encodings(self, text: str, garbage: bytes, cuts: list[int], size: int, encoding: str) -> None:
        head = "\ufeffemail,name\na@example.com,李娜\n"
        body = head.encode(encoding) + text.encode(encoding) + garbage + b"\nb@example.com,B\n"
        whole = read(CsvRows(), body, encoding=encoding)
        assert read(CsvRows(), body, encoding=encoding, cuts=cuts, size=size) == whole

    @given(ROWS, CUTS, st.integers(1, 30))
    def test_good_rows(self, rows: list[dict[str, Any]], cuts: list[int], size: int) -> None:
        expected = "".join(f"{written(row)}\n" for row in rows)
        document = json.dumps({"contacts": rows}, ensure_ascii=False)
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        assert read(JsonDocument(), document, cuts=cuts, size=size).content == expected
        assert read(JsonLines(), lines, cuts=cuts, size=size).content == expected


class TestLimits:
    @pytest.mark.parametrize(
        ("form", "body"),
        [
            (JsonLines(), '{"email":"a@example.com"}\n' * 1001),
            (JsonLines(), "nonsense\n" * 1001),
            (CsvRows(), "email\n" + "a@example.com\n" * 1001),
            (JsonDocument(), json.dumps({"contacts": [GOOD] * 1001})),
        ],
    )
    def test_rows(self, form: RowFormat, body: str) -> None:
        error = "payload_too_large: The body holds more than 1000 rows; nothing was imported."
        assert read(form, body, on_invalid="skip").error == error

    def test_as_many_rows_as_may_be(self) -> None:
        assert read(JsonLines(), '{"email":"a@example.com"}\n\n' * 1000).counts.accepted == 1000


class TestAddressTally:
    @given(st.lists(st.text("aAbBéÉ", max_size=3)))
    def test_counts_different_addresses_whatever_their_case(self, addresses: list[str]) -> None:
        tally = AddressTally()
        for address in addresses:
            tally.add(address)
        assert tally.distinct() == len({address.lower() for address in addresses})


async def test_a_byte_order_mark_counts_at_the_start_only() -> None:
    async def arriving() -> AsyncIterator[bytes]:
        for piece in (b"", b"\xef", b"\xbb\xbf", b"a", b"\xef\xbb\xbf", b"b"):
            yield piece

    assert "".join([text async for text in texts(arriving(), "utf-8", "UTF-8")]) == "a\ufeffb"


async def test_bytes_that_cannot_be_decoded_do_not_hide_what_stands_before() -> None:
    async def arriving() -> AsyncIterator[bytes]:
        yield b"one\ntwo\xff"

    text = texts(arriving(), "utf-8", "UTF-8")
    assert await anext(text) == "one\ntwo"
    with pytest.raises(MalformedRequest, match="not UTF-8 text in line 2"):
        await anext(text)


def test_a_header_is_refused_before_anything_below_it_is_looked_at() -> None:
    assert read(CsvRows(), b"e-mail\n\xff").error.startswith(ValidationFailed.code)
