"""HEAD answers wherever GET does, without a body, and `Vary` says the same however an answer came about."""

import pytest

from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

LISTS = xml_reply("<maillist><item><id>1</id><subject>News</subject><status>enabled</status></item></maillist>")
PASSING = {"x-request-id", "traceparent", "server-timing", "ratelimit", "age", "cache-status", "content-length"}


@pytest.mark.parametrize(
    "path",
    ["/v1/lists", "/v1/lists/1/contacts/export", "/v1/nothing", "/healthz", "/openapi.json", "/docs", "/nothing"],
)
async def test_the_head_is_that_of_a_get(path: str) -> None:
    async with client_of(make_app([make_tenant()], FakePlatform([LISTS]).transport)) as client:
        got = await client.get(path)
        head = await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert {name: value for name, value in head.headers.items() if name not in PASSING} == {
        name: value for name, value in got.headers.items() if name not in PASSING
    }


async def test_what_only_takes_changes_takes_no_head() -> None:
    async with client_of(make_app([make_tenant()], FakePlatform([LISTS]).transport)) as client:
        response = await client.head("/v1/mailboxes")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("origins", ["https://a.example", "https://a.example,https://b.example"])
async def test_vary_is_the_same_on_misses_and_hits_with_an_origin_and_without(origins: str) -> None:
    app = make_app([make_tenant()], FakePlatform([LISTS]).transport, cache_lifetimes={}, cors_origins=origins)
    async with client_of(app) as client:
        kinds: list[dict[str, str]] = [{}, {}, {"Origin": "https://a.example"}, {"Origin": "https://evil.example"}]
        asked = [await client.get("/v1/lists", headers=headers) for headers in kinds]
    assert {each.headers["vary"] for each in asked} == {"Authorization, X-API-Key, Accept, Accept-Encoding, Origin"}
