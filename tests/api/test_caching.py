"""Kept answers over HTTP: validators, ages, directives, what a write does to them, and whose they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.api.caching import directives_of, matches
from app.api.request_head import RequestHead
from app.policies.cache.model import Directives
from app.tenants.models import Tenant
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, READ_KEY, make_tenant

LISTS = "<maillist><item><id>{}</id><subject>News</subject><status>enabled</status></item></maillist>"
ACCOUNT = "<customer><id>1</id><username>acme</username></customer>"
DONE = "<result><status>success</status><id>9</id></result>"
GONE = "<maillist></maillist>"
PATH = "/v1/lists"


@asynccontextmanager
async def caching(
    platform: FakePlatform, tenants: list[Tenant] | None = None, **settings: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """Run a gateway that keeps answers."""
    app = make_app(tenants or [make_tenant()], platform.transport, **{"cache_lifetimes": {}, **settings})
    async with client_of(app) as client:
        yield client


def counting() -> FakePlatform:
    """Return a platform whose every reply to a read differs."""
    numbers = iter(range(1, 1000))

    def answer(request: httpx2.Request) -> httpx2.Response:
        return xml_reply(DONE if request.method == "POST" else LISTS.format(next(numbers)))

    return FakePlatform([answer])


class TestFreshAnswers:
    async def test_are_given_again_with_everything_http_says_of_them(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            first = await client.get(PATH)
            again = await client.get(PATH)
        assert (first.status_code, again.status_code, len(platform.requests)) == (200, 200, 1)
        assert first.content == again.content
        assert first.headers["cache-status"] == "umail-gateway; fwd=uri-miss; stored"
        assert again.headers["cache-status"].startswith("umail-gateway; hit; ttl=")
        assert first.headers["etag"] == again.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache, max-age=30"
        assert 0 <= int(again.headers["age"]) < 30
        assert again.headers["vary"] == "Authorization, X-API-Key, Accept, Accept-Encoding"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert "server-timing" in first.headers
        assert "server-timing" not in again.headers

    async def test_not_modified(self) -> None:
        async with caching(counting()) as client:
            etag = (await client.get(PATH)).headers["etag"]
            for condition in (etag, f'"other", W/{etag}', "*"):
                response = await client.get(PATH, headers={"If-None-Match": condition})
                assert (response.status_code, response.content) == (304, b"")
                assert response.headers["etag"].removeprefix("W/") == etag
            assert (await client.get(PATH, headers={"If-None-Match": '"other"'})).status_code == 200

    async def test_not_modified_after_a_fetch(self) -> None:
        platform = FakePlatform([xml_reply(LISTS.format(1))])
        async with caching(platform) as client:
            etag = (await client.get(PATH)).headers["etag"]
            headers = {"If-None-Match": etag, "Cache-Control": "no-cache"}
            response = await client.get(PATH, headers=headers)
        assert (response.status_code, len(platform.requests)) == (304, 2)
        assert response.headers["cache-status"] == "umail-gateway; fwd=request; stored"

    async def test_page_links_are_kept(self) -> None:
        empty = xml_reply("<data><total_num>90</total_num></data>")
        async with caching(FakePlatform([empty])) as client:
            first, again = [await client.get("/v1/contacts?page=4&page_size=30") for _ in range(2)]
        assert first.headers["link"] == again.headers["link"]
        assert "page=3" in again.headers["link"]
        assert again.headers["cache-status"].startswith("umail-gateway; hit")

    async def test_other_representations_are_refused_even_when_kept(self) -> None:
        async with caching(counting()) as client:
            await client.get(PATH)
            problem(await client.get(PATH, headers={"Accept": "text/csv"}), 406, "not_acceptable")

    async def test_what_is_not_there_is_remembered_for_a_moment(self) -> None:
        platform = FakePlatform([xml_reply(GONE)])
        async with caching(platform) as client:
            first = problem(await client.get("/v1/lists/7"), 404, "not_found")
            again = problem(await client.get("/v1/lists/7"), 404, "not_found")
        assert len(platform.requests) == 1
        assert {**first, "request_id": ""} == {**again, "request_id": ""}

    async def test_what_the_platform_said_of_it_is_remembered_too(self) -> None:
        platform = FakePlatform([xml_reply("<result><status>not_exist</status><data>没有</data></result>")])
        async with caching(platform) as client:
            first = problem(await client.get("/v1/imports/7"), 404, "not_found")
            again = problem(await client.get("/v1/imports/7"), 404, "not_found")
        assert len(platform.requests) == 1
        assert (
            first["upstream"]
            == again["upstream"]
            == {"operation": "imports.get", "status": "not_exist", "message": "没有"}
        )

    async def test_errors_are_not(self) -> None:
        platform = FakePlatform([xml_reply("", status=500), xml_reply(LISTS.format(1))])
        async with caching(platform) as client:
            problem(await client.get(PATH), 502, "upstream_error")
            assert (await client.get(PATH)).status_code == 200


class TestDirectives:
    async def test_no_cache_asks_again_and_keeps(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            await client.get(PATH)
            asked = await client.get(PATH, headers={"Cache-Control": "no-cache"})
            kept = await client.get(PATH)
        assert len(platform.requests) == 2
        assert asked.content == kept.content

    async def test_no_store_keeps_nothing(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            asked = await client.get(PATH, headers={"Cache-Control": "no-store"})
            assert asked.headers["cache-status"] == "umail-gateway; fwd=bypass"
            assert (await client.get(PATH)).content != asked.content

    async def test_only_if_cached(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            headers = {"Cache-Control": "only-if-cached"}
            problem(await client.get(PATH, headers=headers), 504, "not_cached")
            await client.get(PATH)
            assert (await client.get(PATH, headers=headers)).status_code == 200
        assert len(platform.requests) == 1

    async def test_max_age(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            await client.get(PATH)
            await client.get(PATH, headers={"Cache-Control": "max-age=0"})
            await client.get(PATH, headers={"Cache-Control": "max-age=25"})
        assert len(platform.requests) == 2

    @pytest.mark.parametrize(
        ("header", "directives"),
        [
            ("no-cache", Directives(no_cache=True)),
            ("No-Store , max-age=3", Directives(no_store=True, max_age=3)),
            ('max-age="7"', Directives(max_age=7)),
            ("max-age=-1, max-age=9", Directives()),
            ("max-age=x,only-if-cached", Directives(only_if_cached=True)),
            ("", Directives()),
            ("=,;,nonsense=1", Directives()),
        ],
    )
    def test_are_read(self, header: str, directives: Directives) -> None:
        assert directives_of(RequestHead([(b"cache-control", header.encode())])) == directives

    def test_the_old_pragma(self) -> None:
        assert directives_of(RequestHead([(b"pragma", b"no-cache")])).no_cache
        assert not directives_of(RequestHead([(b"pragma", b"no-cache"), (b"cache-control", b"max-age=1")])).no_cache

    def test_entity_tags(self) -> None:
        assert matches('"a,b", "c"', '"c"')
        assert not matches('"a"', '"b"')


class TestWrites:
    @pytest.mark.parametrize("reply", [xml_reply(DONE), xml_reply("", status=502)])
    async def test_are_seen_at_once(self, reply: httpx2.Response) -> None:
        numbers = iter(range(1, 1000))

        def answer(request: httpx2.Request) -> httpx2.Response:
            return reply if request.method == "POST" else xml_reply(LISTS.format(next(numbers)))

        async with caching(FakePlatform([answer])) as client:
            before = await client.get(PATH)
            await client.post(PATH, json={"name": "More"})
            after = await client.get(PATH)
        assert after.headers["cache-status"] == "umail-gateway; fwd=uri-miss; stored"
        assert before.content != after.content

    async def test_leave_what_they_do_not_touch(self) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            account = "customer-info" in str(request.url)
            return xml_reply(ACCOUNT if account else DONE)

        async with caching(FakePlatform([answer])) as client:
            await client.get("/v1/account")
            await client.post(PATH, json={"name": "More"})
            assert (await client.get("/v1/account")).headers["cache-status"].startswith("umail-gateway; hit")


class TestIsolation:
    async def test_tenants_do_not_meet(self) -> None:
        tenants = [make_tenant(), make_tenant(tenant_id="rival", suffix="rival")]
        async with caching(counting(), tenants) as client:
            mine = await client.get(PATH)
            theirs = await client.get(PATH, headers={"Authorization": f"Bearer {KEY}rival"})
            assert mine.content != theirs.content
            assert (await client.get(PATH)).content == mine.content

    async def test_keys_of_one_tenant_share(self) -> None:
        platform = counting()
        async with caching(platform) as client:
            await client.get(PATH)
            await client.get(PATH, headers={"Authorization": f"Bearer {READ_KEY}"})
        assert len(platform.requests) == 1

    async def test_a_kept_answer_still_needs_the_scope(self) -> None:
        listed = xml_reply("<domains></domains>")
        async with caching(FakePlatform([listed]), [make_tenant(role="manager")]) as client:
            path = "/v1/customers/7/domains"
            first = await client.get(path)
            headers = {"Authorization": f"Bearer {READ_KEY}"}
            problem(await client.get(path, headers=headers), 403, "insufficient_scope")
            assert (await client.get(path)).status_code == first.status_code

    async def test_no_header_steers_the_key(self) -> None:
        platform = counting()
        odd = {
            "X-Forwarded-Host": "evil",
            "X-Tenant": "rival",
            "Accept-Language": "de",
            "Cookie": "a=b",
            "Host": "other",
        }
        async with caching(platform) as client:
            first = await client.get(PATH)
            again = await client.get(PATH, headers=odd)
        assert first.content == again.content
        assert len(platform.requests) == 1


class TestLifetimes:
    async def test_of_a_tenant_before_the_operators(self) -> None:
        tenants = [make_tenant(cache={"lists.list": 0}), make_tenant(tenant_id="rival", suffix="rival")]
        platform = counting()
        async with caching(platform, tenants, cache_lifetimes={"lists.list": 7}) as client:
            first = [await client.get(PATH) for _ in range(2)]
            headers = {"Authorization": f"Bearer {KEY}rival"}
            theirs = [await client.get(PATH, headers=headers) for _ in range(2)]
        assert len(platform.requests) == 3
        assert first[0].headers["cache-control"] == "private, no-cache, max-age=0"
        assert theirs[0].headers["cache-control"] == "private, no-cache, max-age=7"

    async def test_settled_answers_are_kept_longer(self) -> None:
        task = "<task_list><task><id>5</id><send_status>{}</send_status></task></task_list>"
        async with caching(FakePlatform([xml_reply(task.format(3)), xml_reply(task.format(2))])) as client:
            sent = await client.get("/v1/campaigns/5")
            await client.get("/v1/campaigns?page=2")
            running = await client.get("/v1/campaigns/5", headers={"Cache-Control": "no-cache"})
        assert sent.headers["cache-control"] == "private, no-cache, max-age=60"
        assert running.headers["cache-control"] == "private, no-cache, max-age=3"
