"""Imports, from every form of body to the platform and back."""

import json
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, make_tenant

PATH = "/v1/lists/78/imports"
LI_NA = {
    "email": "li.na@example.com",
    "name": "李娜",
    "sex": "female",
    "birthday": "1988-04-08",
    "phone": "075512345678",
    "area": "北京市丰台区",
    "variables": {"var1": "gold", "var10": "0010"},
}
LI_NA_LINE = "li.na@example.com;李娜;F;1988-04-08;075512345678;北京市丰台区;gold;;;;;;;;;0010"
ZHANG = {"email": "zhang.wei@example.com"}
CSV_TYPE = "text/csv"
NDJSON_TYPE = "application/x-ndjson"


async def send(
    client: httpx2.AsyncClient, content: str | bytes, media_type: str = CSV_TYPE, *, path: str = PATH
) -> httpx2.Response:
    body = content.encode() if isinstance(content, str) else content
    return await client.post(path, content=body, headers={"Content-Type": media_type})


def errors(response: httpx2.Response) -> list[tuple[int | None, str, str]]:
    found = problem(response, 422, "validation_failed")["errors"]
    return [(each.get("line"), each["pointer"], each["code"]) for each in found]


@pytest.fixture
async def list_id(client: httpx2.AsyncClient) -> int:
    created: int = (await client.post("/v1/lists", json={"name": "新闻"})).json()["id"]
    return created


class TestAuthentication:
    @pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", "/v1/imports"), ("GET", "/v1/imports/1")])
    async def test_without_a_key(self, offline: httpx2.AsyncClient, method: str, path: str) -> None:
        del offline.headers["Authorization"]
        problem(await offline.request(method, path), 401, "unauthenticated")

    async def test_a_reader_may_not_import(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(PATH, json={"contacts": [ZHANG]}, headers={"Authorization": f"Bearer {READ_KEY}"})
        problem(response, 403, "insufficient_scope")


class TestRoundTrip:
    async def test_json(self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int) -> None:
        body = {"contacts": [LI_NA, ZHANG, {"email": "Zhang.Wei@Example.com", "name": "张伟"}]}
        response = await client.post(f"/v1/lists/{list_id}/imports", json=body)
        accepted = response.json()
        assert response.status_code == 202
        assert accepted == {
            "id": accepted["id"],
            "list_id": list_id,
            "accepted": 3,
            "duplicates": 1,
            "skipped": {"count": 0, "lines": []},
        }
        assert response.headers["location"] == f"/v1/imports/{accepted['id']}"
        (file,) = sandbox.calls[-1].files
        expected = f"{LI_NA_LINE}\nzhang.wei@example.com\nZhang.Wei@Example.com;张伟\n"
        assert (file.name, file.filename, file.content.decode()) == ("file", "contacts.txt", expected)

        states = [(await client.get(response.headers["location"])).json() for _ in range(2)]
        assert states == [{"id": accepted["id"], "status": state} for state in ("processing", "completed")]
        contacts = (await client.get(f"/v1/lists/{list_id}/contacts?q=li.na")).json()["data"]
        assert [{name: contact[name] for name in LI_NA} for contact in contacts] == [LI_NA]

        (record,) = (await client.get("/v1/imports")).json()["data"]
        assert record.pop("imported_at").endswith("+08:00")
        assert record == {
            "filename": "contacts.txt",
            "list_name": "新闻",
            "total_count": 3,
            "invalid_count": 0,
            "duplicate_count": 1,
            "status": "completed",
            "status_code": 1,
        }

    @pytest.mark.parametrize(
        ("media_type", "body"),
        [
            (
                "text/csv",
                (
                    "email,name,sex,birthday,phone,area,var1,var10\n"
                    "li.na@example.com,李娜,female,1988-04-08,075512345678,北京市丰台区,gold,0010\n"
                ),
            ),
            (
                "Text/CSV; charset=UTF-8; header=present",
                (
                    "\ufeff VAR10 ,email,NAME,area,phone,birthday,sex,var1,var2\r\n\r\n,,,,,,,,\r\n"
                    '0010,li.na@example.com,"李娜",北京市丰台区,075512345678,1988-04-08,female,gold\r\n'
                ),
            ),
            ("application/x-ndjson", f"\n{json.dumps(LI_NA)}\r\n\n"),
            ("application/x-ndjson; charset=utf-8", f"\ufeff{json.dumps(LI_NA, ensure_ascii=False)}"),
            ("application/json; charset=utf-8", json.dumps({"contacts": [LI_NA]})),
        ],
    )
    async def test_every_form_means_the_same(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int, media_type: str, body: str
    ) -> None:
        response = await send(client, body, media_type, path=f"/v1/lists/{list_id}/imports")
        assert response.status_code == 202, response.text
        assert sandbox.calls[-1].files[0].content.decode() == LI_NA_LINE + "\n"

    @pytest.mark.parametrize("charset", ["gbk", "GB2312", "gb18030", '"gbk"'])
    async def test_chinese_csv(self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int, charset: str) -> None:
        body = "email,name\nli.na@example.com,李娜\n".encode("gbk")
        response = await send(client, body, f"text/csv; charset={charset}", path=f"/v1/lists/{list_id}/imports")
        assert response.status_code == 202, response.text
        assert sandbox.calls[-1].files[0].content.decode() == "li.na@example.com;李娜\n"

    async def test_a_file_is_passed_on_as_it_is(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int
    ) -> None:
        content = "邮件地址;名称\r\nLI.NA@example.com，李娜\r\nnot an address;x\r\n".encode("gbk")
        files = {"file": ("通讯录 & 3月.csv", content, "text/csv")}
        response = await client.post(f"/v1/lists/{list_id}/imports", files=files)
        accepted = response.json()
        assert (response.status_code, accepted["accepted"], accepted["duplicates"]) == (202, None, None)
        (file,) = sandbox.calls[-1].files
        assert (file.filename, file.content_type, file.content) == ("通讯录 & 3月.csv", "text/csv", content)
        for _ in range(2):
            state = (await client.get(response.headers["location"])).json()["status"]
        assert state == "completed"
        (record,) = (await client.get("/v1/imports")).json()["data"]
        assert (record["filename"], record["total_count"], record["invalid_count"]) == ("通讯录 & 3月.csv", 2, 1)

    async def test_unknown_import(self, client: httpx2.AsyncClient) -> None:
        problem(await client.get("/v1/imports/4711"), 404, "not_found")

    async def test_unknown_list(self, client: httpx2.AsyncClient) -> None:
        problem(await client.post("/v1/lists/4711/imports", json={"contacts": [ZHANG]}), 404, "not_found")


class TestSkipping:
    async def test_leaves_out_bad_rows_and_says_which(
        self, client: httpx2.AsyncClient, sandbox: Sandbox, list_id: int
    ) -> None:
        rows = [
            '"a@example.com","two\nlines"',
            "b@example.com,B",
            "",
            'c@example.com,"C;D"',
            "nobody,",
            "d@example.com,,x",
        ]
        body = "\n".join(["email,name", *rows])
        response = await send(client, body, path=f"/v1/lists/{list_id}/imports?on_invalid=skip")
        assert response.status_code == 202, response.text
        assert (response.json()["accepted"], response.json()["skipped"]) == (1, {"count": 4, "lines": [2, 6, 7, 8]})
        assert sandbox.calls[-1].files[0].content == b"b@example.com;B\n"

    async def test_tells_the_first_hundred(self, client: httpx2.AsyncClient, list_id: int) -> None:
        body = {"contacts": [ZHANG, *[{"email": "x"}] * 150]}
        response = await client.post(f"/v1/lists/{list_id}/imports?on_invalid=skip", json=body)
        assert response.json()["skipped"] == {"count": 150, "lines": list(range(2, 102))}

    async def test_of_all_rows_is_refused(self, offline: httpx2.AsyncClient) -> None:
        response = await send(offline, "not json\n{}\n", NDJSON_TYPE, path=f"{PATH}?on_invalid=skip")
        assert errors(response) == [(1, "", "json_invalid"), (2, "/email", "missing")]


class TestRejecting:
    async def test_names_every_field_of_every_json_row(self, offline: httpx2.AsyncClient) -> None:
        rows: list[Any] = [
            ZHANG,
            {"email": "a@example.com", "name": "Smith, John", "area": "北京；丰台", "phone": "1\t2"},
            {"email": "b@example.com", "variables": {"var11": "x", "var1": "a，b"}, "sex": "F"},
            {"name": "x", "note": "y"},
            "c@example.com",
            None,
            {"email": "d@example.com", "birthday": "8.4.1988", "name": 5},
        ]
        assert errors(await offline.post(PATH, json={"contacts": rows})) == [
            (None, "/contacts/1/name", "separator"),
            (None, "/contacts/1/phone", "control_character"),
            (None, "/contacts/1/area", "separator"),
            (None, "/contacts/2/sex", "literal_error"),
            (None, "/contacts/2/variables/var11", "literal_error"),
            (None, "/contacts/2/variables/var1", "separator"),
            (None, "/contacts/3/email", "missing"),
            (None, "/contacts/3/note", "extra_forbidden"),
            (None, "/contacts/4", "model_type"),
            (None, "/contacts/5", "model_type"),
            (None, "/contacts/6/name", "string_type"),
            (None, "/contacts/6/birthday", "date_format"),
        ]

    async def test_names_the_lines_of_csv(self, offline: httpx2.AsyncClient) -> None:
        rows = ['a@example.com,"x\r\ny",male', "", "nobody,,男", ",z,", "b@example.com,,,,x", "c@example.com"]
        assert errors(await send(offline, "\r\n".join(["email,var1,sex", *rows]))) == [
            (2, "/var1", "control_character"),
            (5, "/email", "email_address"),
            (5, "/sex", "literal_error"),
            (6, "/email", "missing"),
            (7, "", "too_many_cells"),
        ]

    async def test_names_the_lines_of_ndjson(self, offline: httpx2.AsyncClient) -> None:
        lines = [
            '{"email": "a@example.com", "name": "x;y"}',
            "",
            "{",
            "[]",
            '{"email": "b@example.com"}',
            "NaN",
            "[" * 10**4,
        ]
        assert errors(await send(offline, "\n".join(lines), NDJSON_TYPE)) == [
            (1, "/name", "separator"),
            (3, "", "json_invalid"),
            (4, "", "model_type"),
            (6, "", "json_invalid"),
            (7, "", "json_invalid"),
        ]

    async def test_a_line_separator_of_unicode_does_not_end_a_line_of_ndjson(self, offline: httpx2.AsyncClient) -> None:
        body = '{"email": "a@example.com", "name": "x\u2028y"}\n{"email": 1}'
        assert errors(await send(offline, body, NDJSON_TYPE)) == [
            (1, "/name", "control_character"),
            (2, "/email", "string_type"),
        ]

    async def test_lists_a_hundred_and_counts_all(self, offline: httpx2.AsyncClient) -> None:
        rows = [{"email": "x", "name": ";"}] * 130 + [ZHANG] * 20
        body = problem(await offline.post(PATH, json={"contacts": rows}), 422, "validation_failed")
        assert len(body["errors"]) == 100
        assert body["detail"] == (
            "260 fields in 130 of 150 rows refused; nothing was imported. At most 100 are listed."
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("name,phone", [(1, "/email", "missing")]),
            ("email,e-mail", [(1, "/e-mail", "unknown_field")]),
            ("email;name", [(1, "/email;name", "unknown_field"), (1, "/email", "missing")]),
            ("email,,a/b", [(1, "/", "unknown_field"), (1, "/a~1b", "unknown_field")]),
            ("email,var1,VAR1,email", [(1, "/email", "repeated_field"), (1, "/var1", "repeated_field")]),
            (
                "li.na@example.com,李娜",
                [(1, "/li.na@example.com", "unknown_field"), (1, "/李娜", "unknown_field"), (1, "/email", "missing")],
            ),
        ],
    )
    @pytest.mark.parametrize("on_invalid", ["reject", "skip"])
    async def test_headers_of_csv(
        self, offline: httpx2.AsyncClient, header: str, expected: list[Any], on_invalid: str
    ) -> None:
        response = await send(offline, f"{header}\na@example.com\n", path=f"{PATH}?on_invalid={on_invalid}")
        assert errors(response) == expected

    @pytest.mark.parametrize(
        ("media_type", "body"),
        [
            (CSV_TYPE, b""),
            (CSV_TYPE, b"\r\n \r\n"),
            (CSV_TYPE, b"email,name\r\n"),
            (CSV_TYPE, b"\xef\xbb\xbf"),
            (NDJSON_TYPE, b""),
            (NDJSON_TYPE, b"\n\r\n"),
            ("application/json", b""),
        ],
    )
    async def test_nothing_to_import(self, offline: httpx2.AsyncClient, media_type: str, body: bytes) -> None:
        assert errors(await send(offline, body, media_type)) == [(None, "", "no_contacts")]

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({"contacts": []}, {"/contacts"}),
            ({}, {"/contacts"}),
            ({"contacts": {"0": ZHANG}}, {"/contacts"}),
            ({"contacts": [ZHANG], "list_id": 1}, {"/list_id"}),
            ([ZHANG], {""}),
            (None, {""}),
        ],
    )
    async def test_outer_forms_of_json(self, offline: httpx2.AsyncClient, body: Any, pointers: set[str]) -> None:
        response = await send(offline, json.dumps(body), "application/json", path=f"{PATH}?on_invalid=skip")
        assert refused_fields(response) == pointers

    @pytest.mark.parametrize(
        ("media_type", "body"),
        [
            ("application/json", b'{"contacts": ['),
            ("application/json", b"\xff"),
            (CSV_TYPE, b"email\na@example.com,\xff\n"),
            (CSV_TYPE, "email,name\na@example.com,李娜\n".encode("gbk")),
            ("text/csv; charset=gbk", b"email\na@example.com\xff\xff\n"),
            (NDJSON_TYPE, b'{"email": "\xff"}'),
            (CSV_TYPE, b'email,name\na@example.com,"open\nb@example.com,B\n'),
            (CSV_TYPE, b'email,name\na@example.com,"x"y\n'),
            (CSV_TYPE, b"email,name\na@example.com," + b"x" * 200_000),
            ("multipart/form-data", b"--x--"),
            ("multipart/form-data; boundary=x", b"no parts"),
        ],
    )
    @pytest.mark.parametrize("on_invalid", ["reject", "skip"])
    async def test_unreadable_bodies(
        self, offline: httpx2.AsyncClient, media_type: str, body: bytes, on_invalid: str
    ) -> None:
        response = await send(offline, body, media_type, path=f"{PATH}?on_invalid={on_invalid}")
        problem(response, 400, "malformed_request")

    async def test_says_from_which_line_on_csv_is_unreadable(self, offline: httpx2.AsyncClient) -> None:
        response = await send(offline, 'email,name\nb@example.com,B\na@example.com,"open\nb@example.com,B\n')
        assert "from line 3 on" in problem(response, 400, "malformed_request")["detail"]

    @pytest.mark.parametrize(
        "media_type",
        [
            "text/plain",
            "application/xml",
            "application/octet-stream",
            "text/csv; charset=big5",
            "text/csv; charset=",
            "application/x-ndjson; charset=gbk",
            "application/json; charset=gbk",
            "nonsense",
        ],
    )
    async def test_other_media_types(self, offline: httpx2.AsyncClient, media_type: str) -> None:
        response = await send(offline, "email\na@example.com\n", media_type)
        problem(response, 415, "unsupported_media_type")
        assert "text/csv" in response.headers["accept"]

    async def test_no_media_type(self, offline: httpx2.AsyncClient) -> None:
        problem(await offline.post(PATH, content=b"email\na@example.com\n"), 415, "unsupported_media_type")

    @pytest.mark.parametrize(
        ("files", "data", "pointers"),
        [
            ([("file", ("a.txt", b"", "text/plain"))], {}, {""}),
            ([("file", ("a.txt", b"x", "text/plain")), ("file", ("b.txt", b"x", "text/plain"))], {}, {"/file"}),
            ([("upload", ("a.txt", b"x", "text/plain"))], {}, {"/upload"}),
            ([("file", ("a.txt", b"x", "text/plain"))], {"list_id": "1", "a/b": "c"}, {"/list_id", "/a~1b"}),
        ],
    )
    async def test_files(
        self, offline: httpx2.AsyncClient, files: list[Any], data: dict[str, str], pointers: set[str]
    ) -> None:
        assert refused_fields(await offline.post(PATH, files=files, data=data)) == pointers

    async def test_a_part_may_be_named_by_its_extended_name_alone(
        self, client: httpx2.AsyncClient, list_id: int
    ) -> None:
        head = "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%E5%AE%A2%E6%88%B7.txt"
        body = f"--b\r\n{head}\r\n\r\na@example.com;A\n\r\n--b--\r\n"
        path = f"/v1/lists/{list_id}/imports"
        response = await send(client, body, "multipart/form-data; boundary=b", path=path)
        assert response.status_code == 202, response.text
        assert (await client.get("/v1/imports")).json()["data"][0]["filename"] == "客户.txt"

    @pytest.mark.parametrize("name", ["a\x07.txt", "x" * 256, "   ", "a\u2028b"])
    async def test_file_names(self, offline: httpx2.AsyncClient, name: str) -> None:
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = f"{head}Content-Type: text/plain\r\n\r\na@example.com\r\n--x--\r\n"
        assert refused_fields(await send(offline, body, "multipart/form-data; boundary=x")) == {"/file"}

    async def test_a_form_without_a_file(self, offline: httpx2.AsyncClient) -> None:
        body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na@example.com\r\n--x--\r\n'
        assert refused_fields(await send(offline, body, "multipart/form-data; boundary=x")) == {"/file"}

    @pytest.mark.parametrize(
        ("query", "name"), [("on_invalid=ignore", "on_invalid"), ("on_invalid=", "on_invalid"), ("mode=skip", "mode")]
    )
    async def test_parameters(self, offline: httpx2.AsyncClient, query: str, name: str) -> None:
        assert refused_fields(await offline.post(f"{PATH}?{query}", json={"contacts": [ZHANG]})) == {name}

    @pytest.mark.parametrize("path", ["/v1/lists/0/imports", "/v1/lists/x/imports"])
    async def test_list_ids(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.post(path, json={"contacts": [ZHANG]})) == {"list_id"}

    @pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 19])
    async def test_import_ids(self, offline: httpx2.AsyncClient, number: str) -> None:
        assert refused_fields(await offline.get(f"/v1/imports/{number}")) == {"import_id"}

    @pytest.mark.parametrize(
        "media_type", [CSV_TYPE, NDJSON_TYPE, "application/json", "multipart/form-data; boundary=x"]
    )
    async def test_bodies_that_are_too_large(self, media_type: str) -> None:
        def refuse(request: httpx2.Request) -> httpx2.Response:
            raise AssertionError(request.method)

        app = make_app([make_tenant()], httpx2.MockTransport(refuse), max_import_bytes=1024)
        async with client_of(app) as client:
            problem(await send(client, b"x" * 1025, media_type), 413, "payload_too_large")
