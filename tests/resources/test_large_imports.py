"""Imports on real sockets: as large as they come, as slow as they come, and those that never end."""

import asyncio
import json
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx2
import pytest

from app.resources.imports.checking import RowChecker, write_rows
from app.resources.imports.json_rows import JsonLines
from app.sandbox import Sandbox
from app.tenants.store import generate_key, hash_key
from tests.support.processes import lines_until, running
from tests.support.running import client_of, make_app
from tests.support.servers import reset, serving, unused_port
from tests.support.sockets import Finished, answer_of, asking, served, turn, until
from tests.support.tenants import make_tenant

PATH = "/v1/lists/78/imports"
ACCEPTED = "<result><status>success</status><data>10</data></result>"
CSV_TYPE, NDJSON_TYPE = "text/csv", "application/x-ndjson"
CHUNKED = "Transfer-Encoding: chunked"
MEGABYTE = 1024 * 1024
GOOD_LINES = b"".join(b"user%07d@example.com,N\n" % number for number in range(100_000))


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Temporary files go to a folder of the test's own; returns a count of those that are open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def count() -> int:
        assert not list(tmp_path.iterdir())
        return sum(_target(link).startswith(str(tmp_path)) for link in Path("/proc/self/fd").iterdir())

    return count


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def chunk(content: bytes) -> bytes:
    """Frame a chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def untouched() -> httpx2.MockTransport:
    """Return a platform that must not be called."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(request.url.path)

    return httpx2.MockTransport(refuse)


@asynccontextmanager
async def swallowing() -> AsyncIterator[tuple[str, list[int]]]:
    """Run a platform that takes any upload and counts its lines; yields its base URL and the counts."""
    counts: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            match = re.search(rb"content-length: (\d+)", head.lower())
            assert match
            left, lines = int(match[1]), 0
            while left:
                piece = await reader.read(min(left, MEGABYTE))
                assert piece
                left -= len(piece)
                lines += piece.count(b"\n")
            # The form has six line breaks of its own.
            counts.append(lines - 6)
            body = ACCEPTED.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

    async with serving(behave) as base:
        yield base, counts


def bodies(rows: int) -> Iterator[tuple[str, bytes]]:
    """Yield the same rows in every form."""
    emails = [f"user{number:07}@example.com" for number in range(rows)]
    yield CSV_TYPE, "\n".join(["email,name", *(f"{email},李娜" for email in emails)]).encode()
    lines = [json.dumps({"email": email, "name": "李娜"}, ensure_ascii=False) for email in emails]
    yield NDJSON_TYPE, "\n".join(lines).encode()
    yield "application/json", f'{{"contacts": [{", ".join(lines)}]}}'.encode()


def peak(process_id: int) -> int:
    """Return a process's peak resident memory in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match
    return int(match[1]) * 1024


class TestMemory:
    async def test_does_not_grow_with_the_rows(self, tmp_path: Path) -> None:
        key = generate_key()
        async with swallowing() as (base, counts):
            tenants = tmp_path / "tenants.yaml"
            account = f'{{base_url: "{base}", username: acme, password: secret}}'
            scopes = "[read, write]"
            tenants.write_text(
                f"tenants: [{{id: acme, name: A, upstream: {account}, "
                f"keys: [{{id: web, sha256: {hash_key(key)}, scopes: {scopes}}}]}}]",
                encoding="utf-8",
            )
            url = f"file:{tenants}"
            with running("serve", "--port", "0", folder=tmp_path, UMAIL_GATEWAY_TENANTS_URL=url) as process:
                match = re.search(r"http://127\.0\.0\.1:\d+", lines_until(process.stdout, "listening")[-1])
                assert match
                async with httpx2.AsyncClient(base_url=match[0], headers={"X-API-Key": key}, timeout=60) as client:
                    await self._import(client, 1000)
                    before = peak(process.pid)
                    await self._import(client, 100_000)
                    assert peak(process.pid) - before < 20 * MEGABYTE
        assert counts == [*[1000] * 4, *[100_000] * 4]

    @staticmethod
    async def _import(client: httpx2.AsyncClient, rows: int) -> None:
        for media_type, body in bodies(rows):
            response = await client.post(PATH, content=body, headers={"Content-Type": media_type})
            assert (response.status_code, response.json()["accepted"]) == (202, rows)
        _, table = next(bodies(rows))
        response = await client.post(PATH, files={"file": ("contacts.csv", table, "text/csv")})
        assert response.status_code == 202, response.text


class TestBackPressure:
    async def test_reads_no_more_while_the_disk_is_busy(self) -> None:
        pulled = 0

        class SlowDisk:
            entered, release = threading.Event(), threading.Event()

            def write(self, content: bytes) -> int:
                self.entered.set()
                self.release.wait(10)
                return len(content)

        async def texts() -> AsyncIterator[str]:
            nonlocal pulled
            for _ in range(100):
                pulled += 1
                yield '{"email": "a@example.com"}\n' * 2000

        disk = SlowDisk()
        checker = RowChecker(JsonLines(), 10**6)
        writing = asyncio.create_task(write_rows(JsonLines(), texts(), checker, cast("BinaryIO", disk)))
        await asyncio.to_thread(disk.entered.wait)
        seen = pulled
        for _ in range(100):
            await turn()
        assert seen == pulled < 20
        disk.release.set()
        assert await writing == 14 * 200_000

    async def test_others_are_served_meanwhile(self) -> None:
        """Even rows that must be checked in full, or are blank, do not keep the event loop to themselves."""

        async def texts() -> AsyncIterator[str]:
            yield '{"email": "José@example.com"}\n' * 2000
            yield "\n" * 50_000

        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await turn()

        other = asyncio.create_task(others())
        with tempfile.TemporaryFile() as file:
            await write_rows(JsonLines(), texts(), RowChecker(JsonLines(), 10**6), cast("BinaryIO", file))
        other.cancel()
        assert turns > 10


class TestLeaving:
    @pytest.mark.parametrize("media_type", [CSV_TYPE, "multipart/form-data; boundary=x"])
    async def test_in_the_middle_of_the_body_leaves_nothing_behind(
        self, stored: Callable[[], int], media_type: str
    ) -> None:
        app = Finished(make_app([make_tenant()], untouched()))
        head = b"email,name\n"
        if media_type != CSV_TYPE:
            head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        async with served(app) as port:
            async with asking(port, "POST", PATH, f"Content-Type: {media_type}", CHUNKED) as (_, writer):
                writer.write(chunk(head + GOOD_LINES))
                await writer.drain()
                await until(lambda: stored() == 1)
            await asyncio.wait_for(app.event.wait(), 10)
            assert stored() == 0

    async def test_while_the_platform_takes_the_file(self, stored: Callable[[], int]) -> None:
        """What has begun is carried through, for nobody could tell how far it went."""
        async with swallowing() as (base, counts):
            app = Finished(make_app([make_tenant(base_url=base)]))
            async with served(app) as port:
                async with asking(port, "POST", PATH, f"Content-Type: {CSV_TYPE}", CHUNKED) as (_, writer):
                    writer.write(chunk(b"email,name\n" + GOOD_LINES) + b"0\r\n\r\n")
                    await writer.drain()
                    await until(lambda: bool(counts) or stored() == 1)
                await asyncio.wait_for(app.event.wait(), 10)
            assert counts == [100_000]
            assert stored() == 0


class TestBreaking:
    @staticmethod
    async def _import(base: str) -> tuple[int, str]:
        app = make_app([make_tenant(base_url=base)])
        async with client_of(app) as client:
            headers = {"Content-Type": CSV_TYPE}
            response = await client.post(PATH, content=b"email,name\n" + GOOD_LINES, headers=headers)
        return response.status_code, response.json().get("code", "")

    async def test_a_reset_while_uploading(self, stored: Callable[[], int]) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(100_000)
            reset(writer)

        async with serving(behave) as base:
            assert await self._import(base) == (504, "outcome_unknown")
        assert stored() == 0

    async def test_nobody_listens(self, stored: Callable[[], int]) -> None:
        assert await self._import(f"http://127.0.0.1:{unused_port()}/") == (503, "upstream_unavailable")
        assert stored() == 0

    async def test_a_row_is_refused_at_the_very_end(self, stored: Callable[[], int]) -> None:
        app = make_app([make_tenant()], untouched())
        async with client_of(app) as client:
            body = b"email,name\n" + GOOD_LINES + b"nobody,\n"
            response = await client.post(PATH, content=body, headers={"Content-Type": CSV_TYPE})
        assert response.status_code == 422
        assert [error["line"] for error in response.json()["errors"]] == [100_002]
        assert stored() == 0


class TestLimits:
    @asynccontextmanager
    async def _answering(
        self, media_type: str, **settings: Any
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        app = make_app([make_tenant()], untouched(), **settings)
        async with served(app) as port, asking(port, "POST", PATH, f"Content-Type: {media_type}", CHUNKED) as streams:
            yield streams

    @pytest.mark.parametrize("media_type", [CSV_TYPE, NDJSON_TYPE, "application/json"])
    async def test_an_endless_row_is_refused_early(self, media_type: str) -> None:
        async with self._answering(media_type) as (reader, writer):
            answering = asyncio.create_task(answer_of(reader))
            sent = 0
            writer.write(chunk(b'{"contacts": ["' if media_type != CSV_TYPE else b"email\n"))
            while not answering.done():
                writer.write(chunk(b"x" * 65536))
                await writer.drain()
                sent += 65536
                assert sent < 50 * MEGABYTE
            status, body = await answering
        assert (status, json.loads(body)["code"]) == (400, "malformed_request")
        assert "longer than 65536 characters" in json.loads(body)["detail"]

    @pytest.mark.parametrize("media_type", [CSV_TYPE, "multipart/form-data; boundary=x"])
    async def test_a_body_of_no_announced_length(self, stored: Callable[[], int], media_type: str) -> None:
        async with self._answering(media_type, max_import_bytes=3 * MEGABYTE) as (reader, writer):
            head = b"email,name\n"
            if media_type != CSV_TYPE:
                head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
            writer.write(chunk(head + GOOD_LINES))
            await writer.drain()
            await until(lambda: stored() == 1)
            writer.write(chunk(GOOD_LINES))
            status, body = await answer_of(reader)
        assert (status, json.loads(body)["code"]) == (413, "payload_too_large")
        assert stored() == 0

    async def test_a_body_over_the_limit_of_others(self) -> None:
        async with swallowing() as (base, counts):
            app = make_app([make_tenant(base_url=base)], max_body_bytes=1024)
            async with client_of(app) as client:
                headers = {"Content-Type": CSV_TYPE}
                response = await client.post(PATH, content=b"email,name\n" + GOOD_LINES, headers=headers)
                assert response.status_code == 202
                response = await client.post("/v1/lists", json={"name": "x" * 2000})
                assert response.status_code == 413
            assert counts == [100_000]

    async def test_rows(self) -> None:
        app = make_app([make_tenant()], untouched(), max_import_rows=10)
        async with client_of(app) as client:
            headers = {"Content-Type": CSV_TYPE}
            response = await client.post(PATH, content=b"email\n" + b"a@example.com\n" * 11, headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")

    @pytest.mark.parametrize(
        ("media_type", "start"),
        [
            (CSV_TYPE, b"email\na@exam"),
            (NDJSON_TYPE, b""),
            ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file'),
        ],
    )
    async def test_a_body_that_pauses(self, media_type: str, start: bytes) -> None:
        async with self._answering(media_type, import_idle_timeout=0.05) as (reader, writer):
            if start:
                writer.write(chunk(start))
            status, body = await answer_of(reader)
        assert (status, json.loads(body)["code"]) == (400, "malformed_request")
        assert json.loads(body)["detail"] == "No part of the body came for 0.05 seconds."

    async def test_a_form_with_a_large_field(self) -> None:
        app = make_app([make_tenant()], untouched())
        async with client_of(app) as client:
            response = await client.post(PATH, data={"note": "x" * 70_000}, files={"file": ("a.csv", b"x", "text/csv")})
        assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


class TestRoundTrip:
    async def test_the_platform_holds_the_rows(self, client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
        list_id = (await client.post("/v1/lists", json={"name": "新闻"})).json()["id"]
        rows = [
            {
                "email": f"user{number:03}@example.com",
                "name": f"李娜 {number}",
                "sex": "female" if number % 2 else "male",
                "birthday": f"19{number % 100:02}-02-{number % 28 + 1:02}",
                "phone": f"{number:011}",
                "area": None,
                "variables": {"var1": "gold", "var10": str(number)},
            }
            for number in range(400)
        ]
        content = "\n".join(json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(rows)).encode()

        async def dripping() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 777):
                yield content[start : start + 777]

        headers = {"Content-Type": NDJSON_TYPE}
        response = await client.post(f"/v1/lists/{list_id}/imports", content=dripping(), headers=headers)
        location = response.headers["location"]
        state = await client.get(location, headers={"Prefer": "wait=5"})
        assert state.json()["status"] == "completed"
        held = (await client.get(f"/v1/lists/{list_id}/contacts?page_size=500")).json()["data"]
        kept = [{name: contact[name] for name in rows[0]} for contact in held]
        assert sorted(kept, key=lambda row: row["email"]) == rows
