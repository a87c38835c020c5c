"""A read that was asked before skips the router, and is answered as the router would have it answered."""

import httpx2
import pytest

from app.tenants.models import ApiKey, Scope
from app.tenants.store import hash_key
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant

LISTS = "<maillist><item><id>1</id><subject>新闻</subject><status>enabled</status></item></maillist>"
PATH = "/v1/lists"
THROUGH_ROUTER = {"Prefer": "wait=0"}
PASSING = {"x-request-id", "traceparent", "ratelimit", "age", "cache-status", "server-timing"}


def without_passing(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    fields = [(name, value) for name, value in response.headers.multi_items() if name not in PASSING]
    return response.status_code, fields, response.content


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}, {"If-None-Match": "*"}])
async def test_answers_are_those_of_the_router(headers: dict[str, str]) -> None:
    platform = FakePlatform([xml_reply(LISTS)])
    async with client_of(make_app([make_tenant()], platform.transport, cache_lifetimes={"*": 60})) as client:
        await client.get(PATH)
        fast = await client.get(PATH, headers=headers)
        routed = await client.get(PATH, headers={**headers, **THROUGH_ROUTER})
    assert without_passing(fast) == without_passing(routed)
    assert fast.headers.keys() == routed.headers.keys()


async def test_nobody_else_is_led_there() -> None:
    """Another key without the scope, another tenant, a parameter too many: each is looked at in full."""
    blind = ApiKey(id="blind", sha256=hash_key("umg_blind"), scopes=frozenset({Scope.SEND}))
    first = make_tenant()
    tenant = first.model_copy(update={"keys": (*first.keys, blind)})
    other = make_tenant(tenant_id="other", suffix="other")
    platform = FakePlatform([xml_reply(LISTS)])
    async with client_of(make_app([tenant, other], platform.transport, cache_lifetimes={"*": 60})) as client:
        for _ in range(2):
            await client.get(PATH)
        problem(await client.get(PATH, headers={"Authorization": "Bearer umg_blind"}), 403, "insufficient_scope")
        problem(await client.get(f"{PATH}?page=1"), 422, "validation_failed")
        problem(await client.get(PATH, headers={"Accept": "text/csv"}), 406, "not_acceptable")
        asked = len(platform.requests)
        assert (await client.get(PATH, headers={"Authorization": f"Bearer {KEY}other"})).status_code == 200
    assert len(platform.requests) == asked + 1
