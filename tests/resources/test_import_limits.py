"""Bodies of imports that are too long, broken, or not what they should be."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.resources.imports.csv_table import CsvRows
from app.resources.imports.json_rows import JsonDocument, JsonLines
from app.resources.imports.rows import MAX_ROW, RowFormat
from tests.support.imports import GOOD, read
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant


def of_length(length: int) -> dict[str, Any]:
    """Return a row, refused for its name, that is a JSON document of so many characters."""
    row = {**GOOD, "name": ""}
    return {**row, "name": "x" * (length - len(json.dumps(row)))}


class TestLongRows:
    @pytest.mark.parametrize("size", [1000, 64 * 1024, 10**6])
    @pytest.mark.parametrize("end", ["\n", ""])
    def test_lines(self, size: int, end: str) -> None:
        fits = read(JsonLines(), json.dumps(of_length(MAX_ROW)) + end, size=size)
        assert [each.code for each in fits.errors] == ["too_long"]
        over = read(JsonLines(), "\n" + json.dumps(of_length(MAX_ROW + 1)) + end, size=size)
        assert over.error == "malformed_request: Line 2 is longer than 65536 characters."

    @pytest.mark.parametrize("size", [1000, 64 * 1024, 10**6])
    @pytest.mark.parametrize("end", [", {}]}", " ]}"])
    def test_documents(self, size: int, end: str) -> None:
        fits = read(JsonDocument(), '{"contacts": [{},' + json.dumps(of_length(MAX_ROW)) + end, size=size)
        assert "too_long" in [each.code for each in fits.errors]
        over = read(JsonDocument(), '{"contacts": [{},' + json.dumps(of_length(MAX_ROW + 1)) + end, size=size)
        assert over.error == "malformed_request: Contact 2 is longer than 65536 characters."

    @pytest.mark.parametrize("size", [1000, 64 * 1024, 10**6])
    @pytest.mark.parametrize("end", ['"\n', '"', "", '"x\n'])
    @pytest.mark.parametrize("filler", ["x", "x\n", '""', "李"])
    def test_tables(self, size: int, end: str, filler: str) -> None:
        row = 'a@example.com,"' + filler * MAX_ROW
        over = read(CsvRows(), f"email,name\n{row}{end}", size=size)
        assert over.error == "malformed_request: The row that begins in line 2 is longer than 65536 characters."

    def test_a_table_row_that_just_fits(self) -> None:
        row = f'a@example.com,"{"x" * (MAX_ROW - 17)}"\n'
        assert len(row) == MAX_ROW
        assert [each.code for each in read(CsvRows(), f"email,name\n{row}").errors] == ["too_long"]

    @pytest.mark.parametrize("size", [1000, 64 * 1024, 10**6])
    @pytest.mark.parametrize(
        ("start", "detail"),
        [
            ('{"contacts": [{"email": x', "The body is not valid JSON in contact 1."),
            ('{"contacts": [{"email": "x', "Contact 1 is longer than 65536 characters."),
            ('{"contacts": [' + "[" * 5000, "Contact 1 is nested too deeply."),
            ('{"contacts": [1' + "1" * 70000, "Contact 1 is longer than 65536 characters."),
            ('{"contacts": 1' + "1" * 70000, "`contacts` is longer than 65536 characters."),
            ('{"' + "x" * 70000, "A name is longer than 65536 characters."),
            ('"' + "x" * 70000, "The document is longer than 65536 characters."),
            ('{"contacts": [{}' + " " * 10**5 + "x", "The body is not valid JSON after contact 1."),
            ("nonsense", "The body is not valid JSON in the document."),
        ],
    )
    def test_documents_that_are_broken_early(self, size: int, start: str, detail: str) -> None:
        outcome = read(JsonDocument(), start + "x" * 10**6, size=size)
        assert outcome.error == f"malformed_request: {detail}"

    @pytest.mark.parametrize("form", [JsonLines, JsonDocument])
    def test_rows_of_very_many_fields_are_not_described_one_by_one(self, form: Callable[[], RowFormat]) -> None:
        crowd = {str(number): 1 for number in range(101)}
        for row in (crowd, {**GOOD, "variables": crowd}):
            body = json.dumps(row) if form is JsonLines else json.dumps({"contacts": [row]})
            assert [each.code for each in read(form(), body).errors] == ["too_many_fields"]


class TestDocuments:
    """What surrounds the array."""

    @pytest.mark.parametrize(
        "body",
        [
            '{"contacts":[{}]',
            '{"contacts":[{}]}}',
            '{"contacts":[{}]} x',
            '{"contacts":[{},]}',
            '{"contacts":[,{}]}',
            '{"contacts":[{} {}]}',
            '{"contacts":[{}],}',
            '{"contacts" [{}]}',
            '{,"contacts":[{}]}',
            "{contacts:[{}]}",
            '{"contacts":',
            '{"contacts"',
            '{"cont',
            "{",
            '{"contacts":[{"email":"\x01"}]}',
            "\x00",
            "x",
        ],
    )
    def test_not_json(self, body: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            json.loads(body)
        assert read(JsonDocument(), body).error.startswith("malformed_request: The body is not valid JSON")

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ('{"contacts":[{}],"contacts":[{}]}', "/contacts", "repeated_field"),
            ('{"contacts":[{}],"list_id":1}', "/list_id", "extra_forbidden"),
            ('{"list_id":' + "[" * 10**5, "/list_id", "extra_forbidden"),
            ('{"contacts":{"a":' + "[" * 10**5, "/contacts", "list_type"),
            ('{"contacts":"x"}', "/contacts", "list_type"),
            ('{"contacts":[]}', "/contacts", "too_short"),
            ("{}", "/contacts", "missing"),
            ("[" * 10**5, "", "model_type"),
            ("5", "", "model_type"),
            (" \n", "", "no_contacts"),
        ],
    )
    def test_other_forms(self, body: str, pointer: str, code: str) -> None:
        (error,) = read(JsonDocument(), body).errors
        assert (error.location, error.code) == (pointer, code)

    @pytest.mark.parametrize("number", ["9" * 5000, "-0", "1.5"])
    def test_numbers_are_of_the_wrong_type_whatever_their_size(self, number: str) -> None:
        for form, body in (
            (JsonDocument(), f'{{"contacts":[{{"email":"a@example.com","name":{number}}},{number}]}}'),
            (JsonLines(), f'{{"email":"a@example.com","name":{number}}}\n{number}'),
        ):
            assert [each.code for each in read(form, body).errors] == ["string_type", "model_type"]

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ('{"email":"x","email":"a@example.com"}', "a name stands twice"),
            ('{"email":"a@example.com","variables":{"var1":"","var1":""}}', "a name stands twice"),
            ('{"email":NaN}', "not a number of JSON"),
            ("-Infinity", "not a number of JSON"),
            ("1e999", "not a number of JSON"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 1000])
    def test_what_readers_could_understand_differently(self, row: str, why: str, size: int) -> None:
        outcome = read(JsonDocument(), f'{{"contacts":[{{}},{row},{{}}]}}', size=size)
        assert outcome.error == f"malformed_request: The body is not valid JSON in contact 2: {why}."
        assert [each.code for each in read(JsonLines(), row, size=size).errors] == ["json_invalid"]


class TestRoomForBodies:
    CSV = b"email\n" + b"".join(b"user%05d@example.com\n" % number for number in range(100_000))

    async def test_all_bodies_together_are_bounded(self) -> None:
        platform = FakePlatform([xml_reply("<result><status>success</status><data>10</data></result>")])
        app = make_app([make_tenant()], platform.transport, spool_bytes=3 * 1024 * 1024)
        async with client_of(app) as client:
            answers = await asyncio.gather(*(self._send(client) for _ in range(4)))
            statuses = sorted(each.status_code for each in answers)
            assert statuses[0] == 202
            assert statuses[-1] == 503
            for each in answers:
                if each.status_code == 503:
                    assert problem(each, 503, "overloaded")["detail"].endswith("nothing was sent.")
            assert len(platform.requests) == statuses.count(202)
            assert (await self._send(client)).status_code == 202

    @pytest.mark.parametrize("content_type", ["text/csv", "multipart/form-data; boundary=b"])
    async def test_without_a_temporary_folder(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content_type: str
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        platform = FakePlatform([xml_reply("")])
        async with client_of(make_app([make_tenant()], platform.transport)) as client:
            problem(await self._send(client, content_type), 503, "overloaded")
        assert not platform.requests

    async def _send(self, client: httpx2.AsyncClient, content_type: str = "text/csv") -> httpx2.Response:
        body = self.CSV
        if content_type != "text/csv":
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
            body = head + body + b"\r\n--b--\r\n"
        return await client.post("/v1/lists/78/imports", content=body, headers={"Content-Type": content_type})
