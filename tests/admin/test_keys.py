"""Making and revoking keys."""

from typing import Any

import httpx2
import pytest

from tests.admin.conftest import make_key
from tests.support.problems import problem, refused_fields

KEYS = "/admin/v1/tenants/acme/keys"


@pytest.fixture(autouse=True)
async def tenant(admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
    """The tenant whose keys they are."""
    assert (await admin.post("/admin/v1/tenants", json=acme)).status_code == 201


async def test_a_key_is_shown_once_and_works(admin: httpx2.AsyncClient) -> None:
    made = await admin.post(KEYS, json={"scopes": ["write", "read"], "networks": ["127.0.0.0/8"]})
    record = made.json()["record"]
    assert made.headers["location"] == f"{KEYS}/{record['id']}"
    assert made.json()["key"].startswith(record["prefix"])
    assert (record["scopes"], record["networks"]) == (["read", "write"], ["127.0.0.0/8"])
    listed = await admin.get(KEYS)
    assert listed.json()["data"] == [record]
    assert made.json()["key"] not in listed.text
    key = {"Authorization": f"Bearer {made.json()['key']}"}
    assert (await admin.get("/v1/account", headers=key)).status_code == 200


async def test_two_are_valid_until_one_is_revoked(admin: httpx2.AsyncClient) -> None:
    keys = [{"Authorization": f"Bearer {await make_key(admin, id=name)}"} for name in ("old", "new")]
    assert [(await admin.get("/v1/account", headers=each)).status_code for each in keys] == [200, 200]
    revoked = await admin.delete(f"{KEYS}/old")
    assert revoked.json()["revoked_at"] is not None
    problem(await admin.get("/v1/account", headers=keys[0]), 401, "unauthenticated")
    assert (await admin.get("/v1/account", headers=keys[1])).status_code == 200
    assert [each["id"] for each in (await admin.get(KEYS)).json()["data"]] == ["new"]
    both = (await admin.get(KEYS, params={"revoked": "true"})).json()["data"]
    assert [each["id"] for each in both] == ["new", "old"]
    assert (await admin.delete(f"{KEYS}/old")).json() == revoked.json()


async def test_an_id_is_given_once(admin: httpx2.AsyncClient) -> None:
    await make_key(admin)
    problem(await admin.post(KEYS, json={"id": "web", "scopes": ["read"]}), 409, "conflict")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": 5}, "/expires_at"),
        ({"requests_per_minute": "5"}, "/requests_per_minute"),
        ({"networks": ["10.0.0.300/8"]}, "/networks/0"),
        ({"networks": [False]}, "/networks/0"),
        ({"networks": [167772160]}, "/networks/0"),
        ({"sha256": "0" * 64}, "/sha256"),
    ],
)
async def test_nonsense_is_refused_by_field(admin: httpx2.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    response = await admin.post(KEYS, json={"scopes": ["read"]} | change)
    assert {field.removesuffix("/0") for field in refused_fields(response)} == {pointer.removesuffix("/0")}


async def test_what_can_be_no_id_is_refused(admin: httpx2.AsyncClient) -> None:
    assert refused_fields(await admin.delete(f"{KEYS}/%00")) == {"key_id"}
    assert refused_fields(await admin.get("/admin/v1/tenants/%00/keys")) == {"tenant_id"}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/web")])
async def test_of_a_tenant_that_is_not_there(admin: httpx2.AsyncClient, method: str, path: str) -> None:
    body = {"scopes": ["read"]} if method == "POST" else None
    response = await admin.request(method, f"/admin/v1/tenants/nobody/keys{path}", json=body)
    problem(response, 404, "not_found")


async def test_a_key_that_is_not_there(admin: httpx2.AsyncClient) -> None:
    problem(await admin.delete(f"{KEYS}/nothing"), 404, "not_found")
