"""Bodies that come in an encoding, or too slowly; over real sockets."""

import asyncio
import gzip
import json

import httpx2
import pytest

from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import make_app
from tests.support.sockets import asking, served
from tests.support.tenants import make_tenant

JSON = "Content-Type: application/json"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "nonsense"])
@pytest.mark.parametrize("path", ["/v1/lists", "/v1/lists/1/imports"])
async def test_a_compressed_body_is_not_unpacked(offline: httpx2.AsyncClient, path: str, encoding: str) -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    problem(await offline.post(path, content=bomb, headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
async def test_no_encoding(offline: httpx2.AsyncClient, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    assert (await offline.post("/v1/lists", content=b"{}", headers=headers)).status_code == 422


@pytest.mark.parametrize("begun", [b"", b'{"name": '])
async def test_a_body_that_does_not_go_on(begun: bytes) -> None:
    app = make_app([make_tenant()], FakePlatform([xml_reply("<maillist/>")]).transport, body_timeout=0.1)
    async with (
        served(app) as port,
        asking(port, "POST", "/v1/lists", JSON, "Content-Length: 1000") as (reader, writer),
    ):
        writer.write(begun)
        answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "malformed_request"


async def test_dripping_does_not_help() -> None:
    """A byte now and then earns a thousandth of a second each."""
    app = make_app([make_tenant()], FakePlatform([xml_reply("<maillist/>")]).transport, body_timeout=0.2)
    async with (
        served(app) as port,
        asking(port, "POST", "/v1/lists", JSON, "Content-Length: 100000") as (reader, writer),
    ):
        answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answered.done():
            writer.write(b" ")
            await asyncio.wait([answered], timeout=0.02)
        assert answered.result().startswith(b"HTTP/1.1 400")
