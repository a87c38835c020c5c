"""Bodies of imports read without a server, and rows to read: good ones and hostile ones."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from hypothesis import strategies as st
from pydantic import ValidationError

from app.api.contact_rows import VARIABLES, ContactRow, write_line
from app.api.tables import unmarked
from app.errors import GatewayError
from app.resources.imports.body import blocks, texts
from app.resources.imports.checking import RowChecker, write_rows
from app.resources.imports.rows import RowFormat
from app.resources.imports.schemas import OnInvalid

NAMES = ("email", "name", "sex", "birthday", "phone", "area", *VARIABLES)
GOOD = {"email": "li.na@example.com"}


@dataclass(frozen=True)
class Outcome:
    """What became of a body: the file and its counts, or the error."""

    content: str = ""
    counts: Any = None
    error: str = ""
    errors: tuple[Any, ...] = ()


async def _read(form: RowFormat, pieces: list[bytes], size: int, encoding: str, on_invalid: OnInvalid) -> Outcome:
    async def arriving() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    checker = RowChecker(form, 1000)
    with tempfile.TemporaryFile() as opened:
        file = cast("BinaryIO", opened)
        try:
            written = await write_rows(form, texts(blocks(arriving(), size), encoding, "that"), checker, file)
            counts = checker.finish(on_invalid)
        except GatewayError as error:
            return Outcome(error=f"{error.code}: {error.detail}", errors=getattr(error, "errors", ()))
        file.seek(0)
        content = file.read()
        assert len(content) == written
        return Outcome(content.decode(), counts)


def read(
    form: RowFormat,
    body: str | bytes,
    *,
    cuts: list[int] | None = None,
    size: int = 64 * 1024,
    encoding: str = "utf-8",
    on_invalid: OnInvalid = "reject",
) -> Outcome:
    """Read a body that arrives in pieces, cut at places, in blocks of a size."""
    raw = body.encode() if isinstance(body, str) else body
    places = sorted({cut % (len(raw) + 1) for cut in cuts or []})
    pieces = [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]
    return asyncio.run(_read(form, pieces, size, encoding, on_invalid))


CHARACTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters=";；,，")
CELLS = st.text(CHARACTERS, max_size=20)
EMAILS = st.from_regex(r"[a-z0-9]{1,20}@[a-z]{1,10}\.(example|com|test|EXAMPLE)", fullmatch=True)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"email": st.from_regex(r"[a-z0-9]{1,20}@[a-z]{1,10}\.example", fullmatch=True)},
        optional={
            "name": CELLS,
            "sex": st.sampled_from(["male", "female"]),
            "birthday": st.dates().map(lambda day: day.isoformat()),
            "phone": CELLS,
            "area": CELLS,
            "variables": st.dictionaries(st.sampled_from(VARIABLES), CELLS),
        },
    ),
    min_size=1,
    max_size=5,
)

HOSTILE_CELLS = st.one_of(
    CELLS,
    st.text(max_size=5),
    st.sampled_from(
        ["", " ", "x" * 255, "x" * 256, "李" * 255, "a;b", "a；b", "a,b", "\t", "\x85", "\u2028", " x", "x "]
    ),
)
SEXES = st.sampled_from(["male", "female", "", "M", "Male", "男"])
DAYS = st.one_of(
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True),
    st.sampled_from(["", "0000-01-01", "2023-02-29", "2024-02-29", "1900-02-30", "2000-04-31", "2000-12-31"]),
    HOSTILE_CELLS,
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.just([]), st.just({}), HOSTILE_CELLS)
HOSTILE_EMAILS = st.one_of(EMAILS, HOSTILE_CELLS, st.text("aA0.-_+@xn'", max_size=40).map(lambda text: text + ".com"))
HOSTILE_ROWS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.one_of(EMAILS, HOSTILE_EMAILS, VALUES),
        "name": st.one_of(HOSTILE_CELLS, VALUES),
        "sex": st.one_of(SEXES, VALUES),
        "birthday": st.one_of(DAYS, VALUES),
        "phone": VALUES,
        "area": VALUES,
        "variables": st.one_of(
            st.dictionaries(
                st.sampled_from([*VARIABLES, "var0", "email"]), st.one_of(HOSTILE_CELLS, VALUES), max_size=3
            ),
            VALUES,
        ),
        "other": VALUES,
    },
)


def written(row: Any) -> str | None:
    """Return what the full check makes of a row."""
    try:
        return write_line(ContactRow.model_validate(row))
    except ValidationError:
        return None


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its variables beside its fields."""
    return {**{name: value for name, value in row.items() if name != "variables"}, **row.get("variables", {})}


def csv_of(rows: list[dict[str, Any]], names: tuple[str, ...] = NAMES) -> str:
    """Write rows as CSV."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(map(flat, rows))
    return stream.getvalue()


def without_blanks(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as CSV tells it: no blanks round a value, no marks of formulas, nothing of nothing but blanks."""
    variables = {name: cell for name, value in row.get("variables", {}).items() if (cell := _cell(value))}
    return {name: cell for name, value in row.items() if name != "variables" and (cell := _cell(value))} | {
        "variables": variables
    }


def _cell(value: str) -> str:
    return unmarked(value.strip(" \t\xa0\u3000"))
