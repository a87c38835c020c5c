"""The quick check of imports' rows: a subset of the full one."""

import re
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.api.types import EmailAddress
from app.resources.imports.csv_table import CsvRows
from app.resources.imports.rows import EMAIL, TextWindow, quick_contact, quick_line
from tests.support.imports import (
    DAYS,
    EMAILS,
    HOSTILE_CELLS,
    HOSTILE_EMAILS,
    HOSTILE_ROWS,
    ROWS,
    SEXES,
    VALUES,
    flat,
    written,
)


class TestQuick:
    """Whatever the quick check recognizes, the full check accepts, and writes alike."""

    @given(st.one_of(st.text("aZ0.-_+", max_size=70), st.text(max_size=5)), st.text("aZ0.-xn", max_size=70), EMAILS)
    @example("a", "xn--a", "")
    @example("a", "a--b", "")
    @example("a" * 64, "a", "")
    def test_addresses(self, local: str, label: str, good: str) -> None:
        for suffix in ("com", "test", "Local", "LOCALHOST", "xn--p1ai", "c0m", "c", ""):
            for address in (f"{local}@{label}.{suffix}", f"{local}{good}", f"{good}.{label}.{suffix}"):
                if re.fullmatch(EMAIL, address):
                    assert TypeAdapter(EmailAddress).validate_python(address) == address

    @given(EMAILS)
    def test_ordinary_addresses_are_recognized(self, address: str) -> None:
        assert bool(re.fullmatch(EMAIL, address)) == (not address.endswith(".test"))

    @given(HOSTILE_ROWS)
    @example({"email": "a@example.com", "name": "x;F", "sex": None})
    @example({"email": "a@example.com", "name": 0})
    @example({"email": "a@example.com", "birthday": ""})
    @example({"email": None})
    def test_contacts(self, row: dict[str, Any]) -> None:
        line = quick_contact(row)
        assert line is None or line == written(row)

    @given(ROWS)
    def test_ordinary_contacts_are_recognized(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["birthday"] = "1988-12-31"
            assume(all(not value[:1].isspace() for value in flat(row).values()))
            assert quick_contact(row) == written(row)

    @given(st.one_of(VALUES, st.lists(VALUES)))
    def test_other_data(self, data: Any) -> None:
        assert quick_contact(data) is None

    @given(st.fixed_dictionaries({"birthday": DAYS, "var3": HOSTILE_CELLS, "email": HOSTILE_EMAILS, "sex": SEXES}))
    def test_cells(self, row: dict[str, str]) -> None:
        table = CsvRows()
        window = TextWindow()
        window.feed(f"{','.join(row)}\n")
        window.end()
        assert list(table.rows(window)) == [None]
        cells = list(row.values())
        line = table.quick(cells)
        assert line is None or line == written(table.contact(cells))

    def test_a_value_with_a_separator_is_not_taken_for_two(self) -> None:
        assert quick_line("a@example.com;x;F" + ";" * 13) == "a@example.com;x;F"
        assert quick_line("a@example.com;x;F" + ";" * 14) is None
