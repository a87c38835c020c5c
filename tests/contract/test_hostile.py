"""What no schema speaks of: half characters, numbers without end, nests, broken forms, wherever there is a value.

Each answer must be one that the document promises, and none a fault of the gateway.
"""

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.target import TENANT, Target, fuzzed_gateway
from tests.support.conformance import check_response, document
from tests.support.postgres import Databases

VALUES = {
    "half a character": '"\\ud800"',
    "NUL": '"a\\u0000b"',
    "a line break": '"a\\r\\nBcc: b@example.com"',
    "an integer beyond all types": "1" + "0" * 400,
    "an integer beyond 64 bits": str(2**64),
    "a negative integer": "-1",
    "a number beyond all types": "1e999",
    "a fraction": "0.5",
    "a long text": json.dumps("长" * 70_000),
    "a nest": "[" * 500 + "]" * 500,
    "null": "null",
    "a text": '"0"',
    "true": "true",
    "an object": "{}",
}
RAW = (
    "%ED%A0%80",
    "%00",
    "%FF",
    "%0D%0Aa:b",
    "9" * 400,
    "-0",
    "1%2F2",
    "%2E%2E",
    "%E9%95%BF" * 500,
    "%F0%9F%98%80",
    "1e3",
)
HEADED = frozenset(
    {
        ("GET", "/v1/lists"),
        ("POST", "/v1/lists"),
        ("DELETE", "/v1/lists/{list_id}"),
        ("GET", "/v1/lists/{list_id}/contacts/export"),
        ("POST", "/v1/lists/{list_id}/imports"),
        ("GET", "/admin/v1/tenants"),
        ("GET", "/healthz"),
    }
)
"""Operations that stand for all others where headers are concerned, which layers around the operations read."""
FORMS = (
    b"",
    b"--x--\r\n",
    b"--x\r\n\r\n\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\x00b"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="..\\..\\a"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="\xed\xa0\x80"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="name"\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff\r\n--x--\r\n',
    b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 300 + b"--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''%ED%A0%80\r\n\r\na\r\n--x--\r\n",
)
CONTENT_TYPES = (
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
    "a/b",
    "",
)
HEADERS = (
    ("Idempotency-Key", "\xff"),
    ("Idempotency-Key", "k" * 256),
    ("Prefer", "wait=" + "9" * 500),
    ("Prefer", 'wait="'),
    ("Accept", "\xff/\xff;q=9"),
    ("Accept", ",;,=;q=nan"),
    ("Accept-Encoding", "gzip;q=inf,*;q=nan"),
    ("Cache-Control", "max-age=" + "9" * 500),
    ("Cache-Control", 'max-age="\xb2", no-cache="'),
    ("If-None-Match", '"' * 99),
    ("Request-Timeout", "1e999"),
    ("Content-Encoding", "\xff"),
    ("Content-Type", "application/json; charset=\xff"),
    ("Range", "bytes=0-0"),
    ("Expect", "200-maybe"),
    ("X-Request-ID", "\xff" * 300),
    ("X-Forwarded-For", "\xff, ::::, 999.1.1.1"),
    ("Authorization", "Bearer \xff"),
)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if (method, path) != ("delete", "/admin/v1/tenants/{tenant_id}"):
                yield method.upper(), path, operation


def filled(path: str, operation: dict[str, Any]) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", example_of(parameter))
    return path


def example_of(parameter: dict[str, Any]) -> str:
    if parameter["name"] == "tenant_id":
        return TENANT
    schema = parameter["schema"]
    return str((schema.get("examples") or [parameter.get("example", "1")])[0])


def body_of(operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema = document()["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    return max(schema.get("examples", [dict.fromkeys(schema["properties"], "0")]), key=lambda each: len(str(each)))


def places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def with_hole(body: Any, path: tuple[str | int, ...]) -> str:
    """Return the body as JSON with a mark at a place."""
    if not path:
        return '"HOLE"'
    changed = copy.deepcopy(body)
    node = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = "HOLE"
    return json.dumps(changed)


class Hostile:
    """Sends requests and keeps what was wrong with their answers."""

    def __init__(self, target: Target, client: httpx2.AsyncClient) -> None:
        self._target = target
        self._client = client
        self.sent = 0
        self.wrong: list[str] = []

    async def send(self, method: str, path: str, what: str, **request: Any) -> None:
        credential = self._target.admin_token if path.startswith("/admin") else self._target.key
        headers = httpx2.Headers({"Authorization": f"Bearer {credential}"}, encoding="latin-1")
        for name, value in request.pop("headers", ()):
            headers[name] = value
        url = httpx2.URL(self._target.url, raw_path=path.encode())
        response = await self._client.request(method, url, headers=headers, **request)
        self.sent += 1
        try:
            assert response.status_code < 500, response.text
            await check_response(response)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an answer is told with all others
            self.wrong.append(f"{method} {path[:150]} {what}: {response.status_code} {str(error)[:300]}")


@pytest.mark.timeout(300)
async def test_answers_what_is_hostile_as_documented(tmp_path: Path, postgres: Databases) -> None:
    # PostgreSQL's texts hold less than SQLite's.
    settings = {"DATABASE_URL": postgres.make(), "MASTER_KEY": base64.b64encode(bytes(32)).decode()}
    async with fuzzed_gateway(tmp_path, **settings) as target, httpx2.AsyncClient(timeout=30) as client:
        hostile = Hostile(target, client)
        for method, path, operation in operations():
            await _through_paths(hostile, method, path, operation)
            await _through_queries(hostile, method, filled(path, operation), operation)
            await _through_bodies(hostile, method, filled(path, operation), operation)
            if (method, path) in HEADED:
                await _through_headers(hostile, method, filled(path, operation), operation)
        faults = [line for line in target.log.read_text(encoding="utf-8").splitlines() if "unhandled" in line]
    assert hostile.sent > 3000
    assert not hostile.wrong, "\n".join([f"{len(hostile.wrong)} of {hostile.sent}", *hostile.wrong, *faults[:3]])


async def _through_paths(hostile: Hostile, method: str, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            for raw in RAW:
                others = filled(path.replace(f"{{{parameter['name']}}}", "\0"), operation)
                await hostile.send(method, others.replace("\0", raw), "in the path", json=body_of(operation))


async def _through_queries(hostile: Hostile, method: str, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            for raw in RAW:
                await hostile.send(method, f"{path}?{parameter['name']}={raw}", "in the query", json=body_of(operation))
    await hostile.send(method, f"{path}?%ED%A0%80=1&%00", "in the query's names", json=body_of(operation))


async def _through_bodies(hostile: Hostile, method: str, path: str, operation: dict[str, Any]) -> None:
    body = body_of(operation)
    if body is None:
        return
    json_type = [("Content-Type", "application/json")]
    for place in places(body):
        hole = with_hole(body, place)
        for what, value in VALUES.items():
            content = hole.replace('"HOLE"', value)
            await hostile.send(method, path, f"{what} at {place}", content=content, headers=json_type)
    if "multipart/form-data" in operation["requestBody"]["content"]:
        for form in FORMS:
            headers = [("Content-Type", "multipart/form-data; boundary=x")]
            await hostile.send(method, path, f"form {form[:80]!r}", content=form, headers=headers)
    for content_type in CONTENT_TYPES:
        headers = [("Content-Type", content_type)]
        await hostile.send(method, path, f"as {content_type!r}", content=FORMS[3], headers=headers)


async def _through_headers(hostile: Hostile, method: str, path: str, operation: dict[str, Any]) -> None:
    for name, value in HEADERS:
        await hostile.send(method, path, f"{name}: {value[:30]!r}", json=body_of(operation), headers=[(name, value)])
