"""Templates, from JSON and forms to the platform and back."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.api.files import UploadName
from app.sandbox import Account, Sandbox
from app.tenants.models import Scope
from app.upstream.multipart import File, write_multipart
from tests.conftest import Clients
from tests.support.access import assert_needs
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import READ_KEY, make_tenant

PATH = "/v1/templates"
HTML = '<h1 title="a &amp; b">春季新品</h1>\n<p style="color:#333">1 < 2 && 100% + ü = ✓ 😀</p>\n<!-- ; | -->'
SPRING = {"name": "Spring 2026", "subjects": ["春季新品上市", "Tom & Jerry; 100%"], "html": HTML}
PDF = b"%PDF-1.7\r\n\x00\xff--boundary\r\n"
SINGLE = {"name": "Spring 2026", "subjects": "春季新品上市", "html": HTML}
MALFORMED = "malformed_request"
BOUNDARY = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'

Files = list[tuple[str, tuple[str, bytes, str]]]


class Hands:
    """A clock with hands that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 4, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def sandbox_later() -> AsyncIterator[tuple[httpx2.AsyncClient, Hands]]:
    """A gateway in front of a sandbox whose time the test moves."""
    hands = Hands()
    async with Sandbox([Account("acme", "secret")], hands) as sandbox:
        tenant = make_tenant(base_url=sandbox.base_url, password="secret")
        async with client_of(make_app([tenant])) as client:
            yield client, hands


def upload(*names: str, field: str = "file") -> Files:
    return [(field, (name, PDF, "application/pdf")) for name in names]


def attachment(filename: Any = "a.pdf", content: Any = "JVBERi0=") -> dict[str, Any]:
    return {"filename": filename, "content_base64": content}


async def create(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(PATH, json={**SPRING, **body})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (Scope.READ, "GET", PATH),
        (Scope.READ, "GET", f"{PATH}/1"),
        (Scope.READ, "GET", f"{PATH}/1/review"),
        (Scope.WRITE, "POST", PATH),
        (Scope.WRITE, "DELETE", f"{PATH}/1"),
        (Scope.WRITE, "POST", f"{PATH}/1/attachments"),
        (Scope.WRITE, "DELETE", f"{PATH}/1/attachments"),
        (Scope.WRITE, "DELETE", f"{PATH}/1/attachments/1"),
    ],
)
async def test_access(scope: Scope, method: str, path: str) -> None:
    await assert_needs(scope, method, path)


async def test_a_reader_may_not_edit(offline: httpx2.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {READ_KEY}"}
    problem(await offline.patch(f"{PATH}/1", json={"name": "x"}, headers=headers), 403, "insufficient_scope")
    del offline.headers["Authorization"]
    problem(await offline.patch(f"{PATH}/1", json={"name": "x"}), 401, "unauthenticated")


class TestCreateFromJson:
    async def test_answers_what_was_created_and_where(self, client: httpx2.AsyncClient) -> None:
        response = await client.post(PATH, json=SPRING)
        created = response.json()
        assert response.headers["location"] == f"{PATH}/{created['id']}"
        read = (await client.get(response.headers["location"])).json()
        assert read["created_at"].endswith("+08:00")
        assert {**read, "content_type": None, "created_at": None, "updated_at": None} == created
        assert (read["content"], read["subjects"]) == (HTML, SPRING["subjects"])

    async def test_attachments(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        files = [attachment("价目表 2026.pdf", base64.b64encode(PDF).decode()), attachment("empty.txt", "")]
        created = await create(client, attachments=files, text="春季", encoding="base64")
        assert created["attachments"] == [{"id": None, "name": "价目表 2026.pdf"}, {"id": None, "name": "empty.txt"}]
        call = sandbox.calls[-1]
        assert [(each.name, each.filename, each.content) for each in call.files] == [
            ("file[]", "价目表 2026.pdf", PDF),
            ("file[]", "empty.txt", b""),
        ]
        assert (call.form["text_content"], call.form["encoding"]) == ("春季", "base64")
        assert call.query == {"do": "add-tpl"}

    async def test_a_large_message_survives(self, client: httpx2.AsyncClient) -> None:
        html = "<p>春</p>" * 250_000
        created = await create(client, html=html)
        assert (await client.get(f"{PATH}/{created['id']}")).json()["content"] == html

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"name": " "}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"name": None}, "/name"),
            ({"subjects": []}, "/subjects"),
            ({"subjects": "one"}, "/subjects"),
            ({"subjects": ["ok", "a|b"]}, "/subjects/1"),
            ({"subjects": [""]}, "/subjects/0"),
            ({"subjects": ["a\r\nBcc: b@example.com"]}, "/subjects/0"),
            ({"html": ""}, "/html"),
            ({"html": " \n"}, "/html"),
            ({"html": "\x00"}, "/html"),
            ({"html": "x" * (2 * 1024 * 1024 + 1)}, "/html"),
            ({"text": "\x1b"}, "/text"),
            ({"encoding": "7bit"}, "/encoding"),
            ({"content": "x"}, "/content"),
            ({"attachments": [attachment(content="JVBERi0")]}, "/attachments/0/content_base64"),
            ({"attachments": [attachment(content="JVBE\nRi0=")]}, "/attachments/0/content_base64"),
            ({"attachments": [attachment(content="价目表")]}, "/attachments/0/content_base64"),
            ({"attachments": [attachment(content=None)]}, "/attachments/0/content_base64"),
            ({"attachments": [attachment(), attachment("")]}, "/attachments/1/filename"),
            ({"attachments": [attachment("../a.pdf")]}, "/attachments/0/filename"),
            ({"attachments": [attachment("C:\\a.pdf")]}, "/attachments/0/filename"),
            ({"attachments": [attachment("a\r\nb")]}, "/attachments/0/filename"),
            ({"attachments": [attachment('a"b')]}, "/attachments/0/filename"),
            ({"attachments": [attachment("..")]}, "/attachments/0/filename"),
            ({"attachments": [attachment(". ..")]}, "/attachments/0/filename"),
            ({"attachments": [{"filename": "a.pdf"}]}, "/attachments/0/content_base64"),
            ({"attachments": [attachment()] * 21}, "/attachments"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, changes: dict[str, Any], pointer: str) -> None:
        assert refused_fields(await offline.post(PATH, json={**SPRING, **changes})) == {pointer}

    async def test_names_every_missing_field(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.post(PATH, json={})) == {"/name", "/subjects", "/html"}

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
    async def test_what_is_not_json(self, offline: httpx2.AsyncClient, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        problem(await offline.post(PATH, content=body, headers=headers), 400, MALFORMED)


class TestCreateFromForm:
    async def test_one_file(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        form = {**SPRING, "text": "春季", "encoding": "quoted-printable"}
        response = await client.post(PATH, data=form, files=upload("价目表 2026.pdf"))
        assert response.status_code == 201, response.text
        read = (await client.get(response.headers["location"])).json()
        assert (read["subjects"], read["content"]) == (SPRING["subjects"], HTML)
        assert [each["name"] for each in read["attachments"]] == ["价目表 2026.pdf"]
        call = next(call for call in sandbox.calls if call.operation == "add-tpl")
        assert [(each.name, each.content) for each in call.files] == [("file", PDF)]
        assert call.form["encoding"] == "quoted-printable"

    async def test_several_files_and_a_single_subject(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        form = {**SPRING, "subjects": "春季"}
        response = await client.post(PATH, data=form, files=upload("a.pdf", "b.pdf", field="file[]"))
        assert response.json()["subjects"] == ["春季"]
        assert [each.name for each in sandbox.calls[-1].files] == ["file[]", "file[]"]

    async def test_a_large_message_in_three_byte_characters(self, client: httpx2.AsyncClient) -> None:
        form, content_type = {"name": "large", "subjects": "s", "html": "春" * (2 * 1024 * 1024)}, "text/plain"
        headers, body = _form(form, [File("file", "a.txt", content_type, b"a")])
        assert (await client.post(PATH, content=body, headers=headers)).status_code == 201

    @pytest.mark.parametrize(
        ("changes", "files", "pointer"),
        [
            ({"subjects": ["a", "b|c"]}, ["a.pdf"], "/subjects/1"),
            ({"name": ["one", "two"]}, ["a.pdf"], "/name"),
            ({"attachments": "x"}, ["a.pdf"], "/attachments"),
            ({"file": "no file"}, ["a.pdf"], "/file"),
            ({"encoding": ""}, ["a.pdf"], "/encoding"),
            ({}, ["a.pdf", "b/c.pdf"], "/file/1/filename"),
            ({}, ["C\\d.pdf"], "/file/0/filename"),
        ],
    )
    async def test_refuses(
        self, offline: httpx2.AsyncClient, changes: dict[str, Any], files: list[str], pointer: str
    ) -> None:
        response = await offline.post(PATH, data={**SPRING, **changes}, files=upload(*files))
        assert refused_fields(response) == {pointer}

    async def test_a_file_without_a_name(self, offline: httpx2.AsyncClient) -> None:
        headers, body = _form({}, [File("file", "", "text/plain", b"a")])
        assert refused_fields(await offline.post(PATH, content=body, headers=headers)) == {"/file"}

    async def test_a_control_character_in_a_file_name(self, offline: httpx2.AsyncClient) -> None:
        headers, body = _form(SINGLE, [File("file", "a\x01.pdf", "text/plain", b"a")])
        assert refused_fields(await offline.post(PATH, content=body, headers=headers)) == {"/file/0/filename"}

    async def test_a_file_under_another_name(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(PATH, data=SPRING, files=upload("a.pdf", field="image"))
        assert refused_fields(response) == {"/image"}

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data", b"--x\r\n"),
            (BOUNDARY, b"no boundary here"),
            (BOUNDARY, PART + b"a\r\n" + PART + b"cut"),
            (BOUNDARY, PART + b"a\r\n--x"),
            (BOUNDARY, b""),
            (BOUNDARY, PART.replace(b"a.txt", "价目表".encode("gbk")) + b"a\r\n--x--\r\n"),
            (BOUNDARY, b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xc4\xe3\r\n--x--\r\n'),
            (BOUNDARY, b"--x\r\nContent-Disposition: form-data\r\n\r\nvalue\r\n--x--\r\n"),
        ],
    )
    async def test_what_is_not_a_form(self, offline: httpx2.AsyncClient, content_type: str, body: bytes) -> None:
        response = await offline.post(PATH, content=body, headers={"Content-Type": content_type})
        problem(response, 400, MALFORMED)

    async def test_too_many_files(self, offline: httpx2.AsyncClient) -> None:
        names = [f"{number}.pdf" for number in range(21)]
        problem(await offline.post(PATH, data=SPRING, files=upload(*names)), 400, MALFORMED)

    async def test_takes_as_many_subjects_as_json_does(
        self, client: httpx2.AsyncClient, offline: httpx2.AsyncClient
    ) -> None:
        form = {**SPRING, "encoding": "base64", "subjects": [f"subject {number}" for number in range(100)]}
        response = await client.post(PATH, data=form, files=upload("a.pdf"))
        assert response.json()["subjects"] == form["subjects"]
        form["subjects"] = [*form["subjects"], "one too many"]
        assert refused_fields(await offline.post(PATH, data=form, files=upload("a.pdf"))) == {"/subjects"}


class TestMediaTypes:
    @pytest.mark.parametrize(
        "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk"]
    )
    async def test_others_are_refused(self, offline: httpx2.AsyncClient, content_type: str) -> None:
        response = await offline.post(PATH, content=b"name=x", headers={"Content-Type": content_type})
        problem(response, 415, "unsupported_media_type")
        assert response.headers["accept"] == "application/json, multipart/form-data"

    async def test_attachments_are_a_form(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(f"{PATH}/1/attachments", json={})
        problem(response, 415, "unsupported_media_type")
        assert response.headers["accept"] == "multipart/form-data"


class TestBodyLimit:
    @pytest.fixture
    async def small(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A gateway that takes bodies of 4 KiB."""

        def refuse(request: httpx2.Request) -> httpx2.Response:
            raise AssertionError(f"{request.method} {request.url.path} reached the platform")

        app = make_app([make_tenant()], httpx2.MockTransport(refuse), max_body_bytes=4096)
        async with client_of(app) as client:
            yield client

    @pytest.mark.parametrize("path", [PATH, f"{PATH}/1/attachments"])
    @pytest.mark.parametrize("announced", [True, False])
    async def test_a_form_that_is_too_large(self, small: httpx2.AsyncClient, path: str, announced: bool) -> None:
        headers, body = _form({}, [File("file", "a.bin", "text/plain", b"a"), File("file", "b.bin", "", b"b" * 8192)])

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        response = await small.post(path, content=body if announced else pieces(), headers=headers)
        problem(response, 413, "payload_too_large")

    async def test_json_that_is_too_large(self, small: httpx2.AsyncClient) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"html": "' + b"x" * 4096
            yield b'"}'

        response = await small.post(PATH, content=pieces(), headers={"Content-Type": "application/json"})
        problem(response, 413, "payload_too_large")


class TestRead:
    async def test_lists_all(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get(PATH)).json() == {"data": []}
        created = [(await create(client, name=name))["id"] for name in ("a", "b")]
        listed = (await client.get(PATH)).json()["data"]
        assert [each["id"] for each in listed] == created
        assert [each["content"] for each in listed] == [HTML, HTML]

    async def test_unknown(self, client: httpx2.AsyncClient) -> None:
        problem(await client.get(f"{PATH}/4711"), 404, "not_found")

    @pytest.mark.parametrize("path", ["0", "abc", "1.5", "99999999999999999999", "0/review", "x/review"])
    async def test_refused_ids(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.get(f"{PATH}/{path}")) == {"template_id"}

    async def test_is_not_paged(self, offline: httpx2.AsyncClient) -> None:
        assert refused_fields(await offline.get(f"{PATH}?page=2")) == {"page"}


class TestReview:
    async def test_runs_and_comes_to_a_verdict(self, sandbox_later: tuple[httpx2.AsyncClient, Hands]) -> None:
        client, hands = sandbox_later
        template_id = (await create(client, html="<p>免费</p>"))["id"]
        review = (await client.get(f"{PATH}/{template_id}/review")).json()
        assert (review["status"], review["status_code"], review["colour"]) == ("checking", -1, None)
        assert (review["size_status"], review["size_status_code"]) == ("counting", -1)
        hands.now += timedelta(minutes=1)
        review = (await client.get(f"{PATH}/{template_id}/review")).json()
        assert (review["status"], review["status_code"], review["colour"]) == ("approved", 1, "yellow")
        assert (review["size_status"], review["size_kb"], review["name"]) == ("counted", 1, "Spring 2026")

    async def test_unknown(self, client: httpx2.AsyncClient) -> None:
        problem(await client.get(f"{PATH}/4711/review"), 404, "not_found")


class TestEdit:
    async def test_sends_only_the_fields_given(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        created = await create(client)
        response = await client.patch(f"{PATH}/{created['id']}", json={"subjects": ["a", "b"]})
        edited = response.json()
        assert (edited["name"], edited["subjects"], edited["content"]) == (created["name"], ["a", "b"], HTML)
        call = next(call for call in sandbox.calls if call.operation == "edit-tpl")
        assert (call.query, call.form) == ({"do": "edit-tpl", "tpl_id": str(created["id"])}, {"subject": "a|b"})

    async def test_text_and_encoding_go_with_another_field(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        created = await create(client)
        body = {"html": "<p>neu</p>", "text": "neu", "encoding": "base64"}
        assert (await client.patch(f"{PATH}/{created['id']}", json=body)).json()["content"] == "<p>neu</p>"
        call = next(call for call in sandbox.calls if call.operation == "edit-tpl")
        assert call.form == {"content": "<p>neu</p>", "text_content": "neu", "encoding": "base64"}

    @pytest.mark.parametrize("body", [{"text": "x"}, {"encoding": "base64"}, {"text": "x", "encoding": "base64"}])
    async def test_text_and_encoding_alone_are_refused(self, offline: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        response = await offline.patch(f"{PATH}/1", json=body)
        assert refused_fields(response) == {""}
        assert response.json()["errors"][0]["code"] == "incomplete_change"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, ""),
            ({"name": None}, "/name"),
            ({"name": ""}, "/name"),
            ({"subjects": []}, "/subjects"),
            ({"subjects": ["a|b"]}, "/subjects/0"),
            ({"html": ""}, "/html"),
            ({"name": "x", "text": " "}, "/text"),
            ({"name": "x", "encoding": None}, "/encoding"),
            ({"name": "x", "attachments": []}, "/attachments"),
        ],
    )
    async def test_refuses(self, offline: httpx2.AsyncClient, body: dict[str, Any], pointer: str) -> None:
        assert refused_fields(await offline.patch(f"{PATH}/1", json=body)) == {pointer}

    async def test_unknown(self, client: httpx2.AsyncClient) -> None:
        problem(await client.patch(f"{PATH}/4711", json={"name": "x"}), 404, "not_found")


class TestDelete:
    async def test_is_gone(self, client: httpx2.AsyncClient) -> None:
        created = await create(client)
        response = await client.delete(f"{PATH}/{created['id']}")
        assert (response.status_code, response.content) == (204, b"")
        problem(await client.get(f"{PATH}/{created['id']}"), 404, "not_found")
        problem(await client.delete(f"{PATH}/{created['id']}"), 404, "not_found")


class TestAttachments:
    async def test_added_one_by_one_and_deleted(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        path = f"{PATH}/{(await create(client))['id']}"
        response = await client.post(f"{path}/attachments", files=upload("价目表.pdf"))
        assert (response.status_code, response.headers["location"]) == (201, path)
        added = next(call for call in sandbox.calls if call.operation == "tpl-attachment-add")
        assert [(each.name, each.filename, each.content) for each in added.files] == [("file", "价目表.pdf", PDF)]
        response = await client.post(f"{path}/attachments", files=upload("b.pdf", "c.pdf"))
        attached = response.json()["attachments"]
        assert [each["name"] for each in attached] == ["价目表.pdf", "b.pdf", "c.pdf"]

        response = await client.delete(f"{path}/attachments/{attached[1]['id']}")
        assert (response.status_code, response.content) == (204, b"")
        assert (await client.get(path)).json()["attachments"] == [attached[0], attached[2]]
        assert (await client.delete(f"{path}/attachments")).status_code == 204
        assert (await client.get(path)).json()["attachments"] == []

    async def test_unknown(self, client: httpx2.AsyncClient) -> None:
        path = f"{PATH}/{(await create(client))['id']}"
        problem(await client.delete(f"{path}/attachments/4711"), 404, "not_found")
        problem(await client.delete(f"{PATH}/4711/attachments"), 404, "not_found")
        problem(await client.post(f"{PATH}/4711/attachments", files=upload("a.pdf")), 404, "not_found")

    async def test_needs_a_file(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(f"{PATH}/1/attachments", content=b"--x--\r\n", headers={"Content-Type": BOUNDARY})
        assert refused_fields(response) == {"/file"}

    async def test_takes_no_other_field(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(f"{PATH}/1/attachments", data={"name": "x"}, files=upload("a.pdf"))
        assert refused_fields(response) == {"/name"}

    async def test_refused_names(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(f"{PATH}/1/attachments", files=upload("a.pdf", "../b.pdf"))
        assert refused_fields(response) == {"/file/1/filename"}

    @pytest.mark.parametrize("path", ["1/attachments/0", "1/attachments/all"])
    async def test_refused_ids(self, offline: httpx2.AsyncClient, path: str) -> None:
        assert refused_fields(await offline.delete(f"{PATH}/{path}")) == {"attachment_id"}


class TestIsolation:
    async def test_tenants_do_not_see_each_other(self, clients: Clients) -> None:
        created = await create(clients["acme"])
        rival = clients["rival"]
        assert (await rival.get(PATH)).json() == {"data": []}
        problem(await rival.get(f"{PATH}/{created['id']}"), 404, "not_found")
        problem(await rival.patch(f"{PATH}/{created['id']}", json={"name": "x"}), 404, "not_found")
        problem(await rival.delete(f"{PATH}/{created['id']}"), 404, "not_found")
        assert (await clients["acme"].get(f"{PATH}/{created['id']}")).json()["name"] == "Spring 2026"


@given(st.text(max_size=20))
def test_no_file_name_breaks_out_of_its_header(name: str) -> None:
    try:
        accepted = TypeAdapter(UploadName).validate_python(name)
    except ValidationError:
        return
    _, body = write_multipart({}, [File("file", accepted, "text/plain", b"")])
    assert f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode() in body
    assert not {"/", "\\", '"', "\r", "\n", "\0"} & set(accepted)


def _form(form: dict[str, str], files: list[File]) -> tuple[dict[str, str], bytes]:
    content_type, body = write_multipart(form, files)
    return {"Content-Type": content_type}, body
