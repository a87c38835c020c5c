"""The forms of an export: which one is given, and that all of them say the same."""

import csv
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.negotiation import prefers_gzip
from app.api.tables import CsvTable, GzipTable, JsonTable, NdjsonTable, csv_columns, unmarked
from app.resources.statistics.failures import FIND_FAILURES
from app.resources.statistics.schemas import DeliveryFailure
from app.resources.tracking.operations import OPENS
from tests.support.conformance import document, validate
from tests.support.exports import read_export
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

GOLDEN = Path(__file__).parents[1] / "golden"
FAILURES = "/v1/delivery-failures?date=2026-03-02"
OPENED = "/v1/campaigns/1/tracking/opens"


async def fetch(path: str, reply: str | bytes, **headers: str) -> httpx2.Response:
    app = make_app([make_tenant()], FakePlatform([xml_reply(reply)]).transport)
    async with client_of(app) as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def failures(*emails: str) -> str:
    records = "".join(f"<recipient><email>{escape(email)}</email><type>2</type></recipient>" for email in emails)
    return f"<fail_recipient_list>{records}</fail_recipient_list>"


def table(response: httpx2.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.text, newline="")))


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "given"),
        [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("application/*", "application/json"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("application/x-ndjson, application/json;q=0.9", "application/x-ndjson"),
            ("text/csv", "text/csv; charset=utf-8"),
            ("TEXT/CSV; charset=utf-8", "text/csv; charset=utf-8"),
            ("text/*", "text/csv; charset=utf-8"),
            ("text/csv;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8"),
            ("text/csv;q=0, */*;q=0.1", "application/json"),
            ("application/json;q=0, application/x-ndjson;q=0, */*", "text/csv; charset=utf-8"),
        ],
    )
    async def test_of_the_media_type(self, accept: str, given: str) -> None:
        response = await fetch(FAILURES, failures("a@example.com"), accept=accept)
        assert (response.status_code, response.headers["content-type"]) == (200, given)
        assert response.headers["vary"] == "Accept, Accept-Encoding"

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0"])
    async def test_of_what_is_not_offered(self, offline: httpx2.AsyncClient, accept: str) -> None:
        body = problem(await offline.get(FAILURES, headers={"Accept": accept}), 406, "not_acceptable")
        assert "application/x-ndjson" in body["detail"]

    @pytest.mark.parametrize(
        ("accept_encoding", "expected"),
        [
            ("", False),
            ("gzip", True),
            ("GZIP;q=0.5", True),
            ("x-gzip", True),
            ("*", True),
            ("br, gzip;q=0.1", True),
            ("gzip;q=0", False),
            ("*;q=0", False),
            ("gzip;q=0, *", False),
            ("identity", False),
            ("identity, gzip;q=0.5", False),
            ("identity;q=0, gzip", True),
            ("br", False),
            ("gzip;q=x", False),
        ],
    )
    async def test_of_compression(self, accept_encoding: str, expected: bool) -> None:
        assert prefers_gzip(accept_encoding) is expected
        response = await fetch(FAILURES, failures("a@example.com"), accept_encoding=accept_encoding)
        assert (response.headers.get("content-encoding") == "gzip") is expected
        assert response.json()["data"][0]["email"] == "a@example.com"

    async def test_unknown_parameters_are_refused(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.get(f"{FAILURES}&raw=1")) == {"raw"}
        assert refused_fields(await offline.get(f"{FAILURES}&raw_cells=maybe")) == {"raw_cells"}


class TestForms:
    @pytest.mark.parametrize(
        ("path", "reply", "export"),
        [
            (FAILURES, GOLDEN / "failures/find/many.reply.xml", FIND_FAILURES),
            (FAILURES, GOLDEN / "failures/find/none.reply.xml", FIND_FAILURES),
            (OPENED, GOLDEN / "tracking/opens/many.reply.xml", OPENS),
        ],
        ids=["failures", "no failures", "opens"],
    )
    async def test_say_the_same(self, path: str, reply: Path, export: Any) -> None:
        body = reply.read_bytes()
        as_json = (await fetch(path, body)).json()["data"]
        as_lines = (await fetch(path, body, accept="application/x-ndjson")).text
        assert [json.loads(line) for line in as_lines.splitlines()] == as_json
        heading, *rows = table(await fetch(path, body, accept="text/csv"))
        names = [name for name, _ in csv_columns(export.source.model)]
        assert heading == names
        assert rows == [[_cell(row, place) for _, place in csv_columns(export.source.model)] for row in as_json]
        models = [export.source.model.model_validate(row) for row in as_json]
        assert [model.model_dump(mode="json") for model in models] == as_json

    async def test_empty(self) -> None:
        reply = "<fail_recipient_list/>"
        assert (await fetch(FAILURES, reply)).text == '{"data":[]}'
        assert (await fetch(FAILURES, reply, accept="application/x-ndjson")).text == ""
        assert (
            await fetch(FAILURES, reply, accept="text/csv")
        ).text == "email,reason,reason_code,reason_text,statistics_id\r\n"

    async def test_csv_is_a_file_with_nested_fields_side_by_side(self) -> None:
        reply = (GOLDEN / "tracking/opens/one.reply.xml").read_bytes()
        response = await fetch(OPENED, reply, accept="text/csv")
        assert response.headers["content-disposition"] == 'attachment; filename="campaigns-1-tracking-opens.csv"'
        heading, row = table(response)
        assert heading[5:8] == ["first_location_continent", "first_location_country", "first_location_place"]
        assert (row[5:8], row[8:11]) == (["亚洲", "中国", "北京北京"], ["", "", ""])

    async def test_csv_quotes(self) -> None:
        emails = ['a"b@example.com', "a,b@example.com", "two\nlines@example.com", "李娜@example.com"]
        response = await fetch(FAILURES, failures(*emails), accept="text/csv")
        assert response.content.startswith(b"email,")
        assert '\r\n"a""b@example.com",mailbox_full,2,,\r\n"a,b@example.com",' in response.text
        assert [row[0] for row in table(response)[1:]] == emails


class TestCellsThatASpreadsheetWouldExecute:
    @pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "=cmd|' /C calc'!A0"])
    async def test_are_neutralised(self, formula: str) -> None:
        for query, cell in (("", f"'{formula}"), ("&raw_cells=true", formula), ("&raw_cells=false", f"'{formula}")):
            response = await fetch(f"{FAILURES}{query}", failures(formula), accept="text/csv")
            assert table(response)[1][0] == cell
        assert (await fetch(FAILURES, failures(formula))).json()["data"][0]["email"] == formula

    @pytest.mark.parametrize("start", ["\t", "\r", "\n"])
    def test_with_what_is_stripped_elsewhere(self, start: str) -> None:
        row = {"email": f"{start}x", "reason": None, "reason_code": -1, "reason_text": None, "statistics_id": None}
        (cells,) = csv.reader(io.StringIO(CsvTable(DeliveryFailure).rows([row]).decode(), newline=""))
        assert cells == [f"'{start}x", "", "-1", "", ""]

    @pytest.mark.parametrize("text", ["x;=1+1", "x; @SUM(A1)", "x\t=1", "x\n-1", "'=1"])
    def test_wherever_a_spreadsheet_would_begin_a_cell(self, text: str) -> None:
        row = {"email": text, "reason": None, "reason_code": None, "reason_text": None, "statistics_id": None}
        ((cell, *_),) = csv.reader(io.StringIO(CsvTable(DeliveryFailure).rows([row]).decode(), newline=""))
        assert cell != text
        assert not re.search(r"(?:^|[;\t\r\n] *)[=+@-]", cell)
        assert unmarked(cell) == text

    @given(st.text("'=+-@;\t\r\n x＝", max_size=12))
    def test_and_come_back_as_they_were(self, text: str) -> None:
        row = {"email": text, "reason": None, "reason_code": None, "reason_text": None, "statistics_id": None}
        ((cell, *_),) = csv.reader(io.StringIO(CsvTable(DeliveryFailure).rows([row]).decode(), newline=""))
        assert unmarked(cell) == text

    def test_is_documented(self) -> None:
        parameters = document()["paths"]["/v1/delivery-failures"]["get"]["parameters"]
        (raw_cells,) = [each for each in parameters if each["name"] == "raw_cells"]
        assert "formulas" in raw_cells["description"]


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
rows = st.fixed_dictionaries(
    {
        "email": anything | st.none(),
        "reason": st.sampled_from(["mailbox_full", "unknown", None]),
        "reason_code": st.integers(-9, 9) | st.none(),
        "reason_text": anything | st.none(),
        "statistics_id": st.integers(1) | st.none(),
    }
)


@given(st.lists(st.lists(rows, max_size=4), max_size=4))
def test_whatever_the_batches_every_form_holds_every_row(batches: list[list[dict[str, Any]]]) -> None:
    expected = [row for batch in batches for row in batch]
    whole = {
        kind: kind.head() + b"".join(map(kind.rows, batches)) + kind.tail()
        for kind in (JsonTable(), NdjsonTable(), CsvTable(DeliveryFailure, raw_cells=True))
    }
    as_json, as_lines, as_csv = whole.values()
    as_fields = list(DeliveryFailure.model_fields)
    assert json.loads(as_json) == {"data": expected}
    assert [json.loads(line) for line in as_lines.decode().split("\n")[:-1]] == expected
    cells = list(csv.reader(io.StringIO(as_csv.decode(), newline="")))[1:]
    assert cells == [["" if value is None else str(value) for value in map(row.get, as_fields)] for row in expected]


@given(st.lists(st.lists(rows, max_size=4), max_size=4))
def test_compression_changes_nothing_and_keeps_nothing_back(batches: list[list[dict[str, Any]]]) -> None:
    packed, plain = GzipTable(JsonTable()), JsonTable()
    receiver = zlib.decompressobj(31)
    assert receiver.decompress(packed.head()) in {b"", plain.head()}
    sent = received = b""
    for index, batch in enumerate(batches):
        sent += plain.rows(batch) if index else JsonTable().head() + plain.rows(batch)
        received += receiver.decompress(packed.rows(batch))
        assert received == sent
    received += receiver.decompress(packed.tail())
    assert received == (sent or JsonTable().head()) + plain.tail()
    assert receiver.eof


@given(st.lists(anything.filter(lambda text: not set(text) & set("<&]>\r\x00")), max_size=5))
def test_what_is_written_is_what_the_schema_promises(emails: list[str]) -> None:
    reply = failures(*(email for email in emails if email.isprintable()))
    found, _ = read_export(FIND_FAILURES.source, reply.encode())
    for row in found:
        validate({"$ref": "#/components/schemas/DeliveryFailure"}, row)


def test_every_export_documents_its_forms() -> None:
    documented = {
        path: item["get"]["responses"]["200"]["content"]
        for path, item in document()["paths"].items()
        if "application/x-ndjson" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    }
    assert len(documented) == 11
    for content in documented.values():
        assert set(content) == {"application/json", "application/x-ndjson", "text/csv"}
        record = content["application/x-ndjson"]["schema"]["contentSchema"]["$ref"].rpartition("/")[2]
        assert record in content["application/json"]["schema"]["$ref"]
        assert record in document()["components"]["schemas"]


def _cell(row: dict[str, Any], place: tuple[str, ...]) -> str:
    value: Any = row
    for name in place:
        value = None if value is None else value[name]
    return "" if value is None else str(value)
