"""JSON in gzip: when, and what its head says of it."""

import gzip
import json

import httpx2
import pytest

from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

ITEM = "<item><id>{}</id><subject>News</subject><description></description><status>enabled</status></item>"
MANY, FEW = (xml_reply(f"<maillist>{''.join(ITEM.format(each) for each in range(1, n))}</maillist>") for n in (60, 2))
PLAIN, GZIP = {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"}


async def asked(reply: httpx2.Response, *requests: tuple[str, dict[str, str]]) -> list[httpx2.Response]:
    app = make_app([make_tenant()], FakePlatform([reply]).transport, cache_lifetimes={})
    async with client_of(app) as client:
        return [await client.request(method, "/v1/lists", headers=headers) for method, headers in requests]


async def test_the_same_answer_in_fewer_bytes_misses_and_hits_alike() -> None:
    miss, hit, plain = await asked(MANY, ("GET", GZIP), ("GET", GZIP), ("GET", PLAIN))
    assert miss.content == hit.content == plain.content
    assert int(hit.headers["content-length"]) < len(plain.content) / 5
    assert [each.headers.get("content-encoding") for each in (miss, hit, plain)] == ["gzip", "gzip", None]
    assert miss.headers["etag"] == hit.headers["etag"] == f"W/{plain.headers['etag']}"
    assert "Accept-Encoding" in plain.headers["vary"]
    assert miss.headers["vary"] == hit.headers["vary"] == plain.headers["vary"]


@pytest.mark.parametrize("encoding", [PLAIN, GZIP])
async def test_who_has_either_form_is_told_so_by_its_tag(encoding: dict[str, str]) -> None:
    (first,) = await asked(MANY, ("GET", encoding))
    tag = first.headers["etag"]
    _, unchanged = await asked(MANY, ("GET", encoding), ("GET", {**encoding, "If-None-Match": tag}))
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == tag
    assert unchanged.headers["vary"] == first.headers["vary"]
    assert "content-encoding" not in unchanged.headers


async def test_a_head_is_that_of_the_compressed_answer() -> None:
    got, head = await asked(MANY, ("GET", GZIP), ("HEAD", GZIP))
    assert head.content == b""
    for name in ("content-length", "content-encoding", "etag", "vary"):
        assert head.headers[name] == got.headers[name], name


async def test_small_answers_and_those_to_whom_gzip_means_nothing_stay_as_they_are() -> None:
    (small,) = await asked(FEW, ("GET", GZIP))
    (refused,) = await asked(MANY, ("GET", {"Accept-Encoding": "gzip;q=0, identity"}))
    for answer in (small, refused):
        assert "content-encoding" not in answer.headers
        assert not answer.headers["etag"].startswith("W/")


async def test_a_large_document_is_whole() -> None:
    async with client_of(make_app([])) as client:
        plain = await client.get("/openapi.json", headers=PLAIN)
        async with client.stream("GET", "/openapi.json", headers=GZIP) as small:
            raw = b"".join([piece async for piece in small.aiter_raw()])
    assert gzip.decompress(raw) == plain.content
    assert json.loads(plain.content)["openapi"].startswith("3.1")
