"""Adding, changing and deleting tenants, and their logins."""

import json
from typing import Any

import httpx2
import pytest

from app.main import create_app
from app.sandbox import Sandbox
from tests.admin.conftest import TOKEN, make_key
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app, make_settings

TENANTS = "/admin/v1/tenants"
ACME = f"{TENANTS}/acme"
LOGIN = f"{ACME}/credentials"


class TestAdding:
    async def test_shows_the_tenant_and_what_the_platform_said(
        self, admin: httpx2.AsyncClient, acme: dict[str, Any]
    ) -> None:
        response = await admin.post(TENANTS, json=acme)
        assert (response.status_code, response.headers["location"]) == (201, ACME)
        assert response.json()["probe"] == {"outcome": "accepted", "detail": None}
        assert response.json()["tenant"] == (await admin.get(ACME)).json()
        assert response.json()["tenant"]["upstream"]["username"] == "acme"
        assert "密码" not in response.text

    @pytest.mark.parametrize(
        ("login", "code"),
        [({"password": "wrong-password"}, "login_refused"), ({"base_url": "http://127.0.0.1:9/"}, "login_unknown")],
    )
    async def test_a_login_that_is_not_accepted_is_saved_only_by_force(
        self, admin: httpx2.AsyncClient, acme: dict[str, Any], login: dict[str, str], code: str
    ) -> None:
        acme["upstream"] |= login
        body = problem(await admin.post(TENANTS, json=acme), 422, "validation_failed")
        assert [(error["pointer"], error["code"]) for error in body["errors"]] == [("/upstream", code)]
        assert "wrong-password" not in str(body)
        problem(await admin.get(ACME), 404, "not_found")
        forced = await admin.post(f"{TENANTS}?force=true", json=acme)
        assert forced.status_code == 201
        assert f"login_{forced.json()['probe']['outcome']}" == code

    async def test_an_id_in_use_is_refused(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        problem(await admin.post(TENANTS, json=acme), 409, "conflict")

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"id": "../etc"}, "/id"),
            ({"id": "x" * 65}, "/id"),
            ({"name": "two\nlines"}, "/name"),
            ({"role": "king"}, "/role"),
            ({"keys": []}, "/keys"),
            ({"limits": {"concurrency": 0}}, "/limits/concurrency"),
            ({"upstream": {"base_url": "ftp://x/", "username": "a", "password": "hunter2"}}, "/upstream/base_url"),
            (
                {"upstream": {"base_url": "http://169.254.169.254/", "username": "a", "password": "hunter2"}},
                "/upstream/base_url",
            ),
            ({"smtp": {"host": "169.254.169.254"}}, "/smtp/host"),
            ({"upstream": {"base_url": "http://a¾/", "username": "a", "password": "hunter2"}}, "/upstream/base_url"),
            ({"upstream": {"base_url": "http://999.1.1.1/", "username": "a", "password": "b"}}, "/upstream/base_url"),
            ({"upstream": {"base_url": "http://[::1/", "username": "a", "password": "hunter2"}}, "/upstream/base_url"),
            ({"enabled": "yes"}, "/enabled"),
            ({"limits": {"concurrency": "5"}}, "/limits/concurrency"),
            ({"limits": {"concurrency": True}}, "/limits/concurrency"),
            ({"cache": {"*": False}}, "/cache/*"),
        ],
    )
    async def test_nonsense_is_refused_by_field(
        self, admin: httpx2.AsyncClient, acme: dict[str, Any], change: dict[str, Any], pointer: str
    ) -> None:
        response = await admin.post(f"{TENANTS}?force=true", json=acme | change)
        assert refused_fields(response) == {pointer}
        assert "hunter2" not in response.text

    async def test_needs_the_operators_token(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        for headers in ({"Authorization": ""}, {"Authorization": f"Bearer {TOKEN}x"}):
            problem(await admin.post(TENANTS, json=acme, headers=headers), 401, "unauthenticated")

    async def test_half_a_character_is_no_text(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        body = json.dumps(acme | {"name": "\ud800"})
        response = await admin.post(TENANTS, content=body, headers={"Content-Type": "application/json"})
        problem(response, 422, "validation_failed")


class TestListing:
    async def test_goes_page_by_page(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        for name in ("c", "a", "b"):
            await admin.post(f"{TENANTS}?force=true", json=acme | {"id": name})
        response = await admin.get(TENANTS, params={"page": 2, "page_size": 2})
        assert [each["id"] for each in response.json()["data"]] == ["c"]
        assert response.json()["pagination"] == {"page": 2, "page_size": 2, "total": 3, "has_more": False}
        assert 'rel="prev"' in response.headers["link"]


class TestChanging:
    async def test_a_disabled_tenant_is_refused_at_once(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        key = {"Authorization": f"Bearer {await make_key(admin)}"}
        assert (await admin.get("/v1/account", headers=key)).status_code == 200
        changed = await admin.patch(ACME, json={"enabled": False})
        assert (changed.json()["enabled"], changed.json()["name"]) == (False, "Acme Ltd")
        problem(await admin.get("/v1/account", headers=key), 403, "tenant_disabled")
        await admin.patch(ACME, json={"enabled": True})
        assert (await admin.get("/v1/account", headers=key)).status_code == 200

    async def test_what_somebody_else_changed_meanwhile_is_kept(
        self, admin: httpx2.AsyncClient, acme: dict[str, Any]
    ) -> None:
        revision = (await admin.post(TENANTS, json=acme)).json()["tenant"]["revision"]
        assert (await admin.patch(ACME, json={"name": "First", "revision": revision})).status_code == 200
        problem(await admin.patch(ACME, json={"name": "Second", "revision": revision}), 409, "conflict")
        assert (await admin.get(ACME)).json()["name"] == "First"

    async def test_a_relay_is_set_and_removed(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        relay = {"host": "smtp.example", "username": "news@acme.example", "password": "relay-password"}
        response = await admin.patch(ACME, json={"smtp": relay})
        assert response.json()["smtp"]["host"] == "smtp.example"
        assert "relay-password" not in response.text
        assert refused_fields(await admin.patch(ACME, json={"smtp": {"host": "169.254.169.254"}})) == {"/smtp/host"}
        assert (await admin.patch(ACME, json={"smtp": None})).json()["smtp"] is None

    async def test_a_tenant_that_is_not_there(self, admin: httpx2.AsyncClient) -> None:
        problem(await admin.patch(ACME, json={"enabled": False}), 404, "not_found")
        problem(await admin.delete(ACME), 404, "not_found")

    async def test_a_deleted_tenant_takes_its_keys_along(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        key = {"Authorization": f"Bearer {await make_key(admin)}"}
        assert (await admin.get("/v1/account", headers=key)).status_code == 200
        assert (await admin.delete(ACME)).status_code == 204
        problem(await admin.get("/v1/account", headers=key), 401, "unauthenticated")


class TestLogin:
    async def test_is_replaced_once_the_platform_accepts_it(
        self, admin: httpx2.AsyncClient, acme: dict[str, Any]
    ) -> None:
        await admin.post(TENANTS, json=acme)
        new = acme["upstream"] | {"username": "rival", "password": "rival-password"}
        response = await admin.put(LOGIN, json=new)
        assert response.json()["probe"]["outcome"] == "accepted"
        assert response.json()["tenant"]["upstream"]["username"] == "rival"
        key = {"Authorization": f"Bearer {await make_key(admin)}"}
        assert (await admin.get("/v1/account", headers=key)).json()["username"] == "rival"

    async def test_a_refused_one_is_rolled_back(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        response = await admin.put(LOGIN, json=acme["upstream"] | {"password": "wrong-password"})
        assert [error["code"] for error in problem(response, 422, "validation_failed")["errors"]] == ["login_refused"]
        assert (await admin.get(ACME)).json()["staged"] is None
        assert (await admin.post(f"{ACME}/probe")).json() == {"outcome": "accepted", "detail": None}

    async def test_may_wait_to_be_confirmed(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        new = acme["upstream"] | {"username": "rival", "password": "rival-password"}
        staged = (await admin.post(f"{LOGIN}/stage", json=new)).json()
        assert staged["probe"]["outcome"] == "accepted"
        assert (staged["tenant"]["upstream"]["username"], staged["tenant"]["staged"]["username"]) == ("acme", "rival")
        confirmed = (await admin.post(f"{LOGIN}/confirm")).json()
        assert (confirmed["upstream"]["username"], confirmed["staged"]) == ("rival", None)

    async def test_a_staged_one_may_be_dropped(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        await admin.post(f"{LOGIN}/stage", json=acme["upstream"] | {"username": "rival"})
        assert (await admin.post(f"{LOGIN}/rollback")).json()["staged"] is None
        for step in ("confirm", "rollback"):
            problem(await admin.post(f"{LOGIN}/{step}"), 404, "not_found")

    async def test_is_never_sent_where_nothing_may_be(self, admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
        await admin.post(TENANTS, json=acme)
        login = acme["upstream"] | {"base_url": "http://169.254.169.254/"}
        for response in (await admin.put(LOGIN, json=login), await admin.post(f"{LOGIN}/stage", json=login)):
            assert refused_fields(response) == {"/base_url"}


async def test_tenants_of_a_file_are_changed_there() -> None:
    async with client_of(make_app([], admin_token=TOKEN), key=TOKEN) as client:
        problem(await client.get(TENANTS), 409, "conflict")


async def test_a_database_that_is_gone_is_said_to_be(sandbox: Sandbox, tmp_path: Any) -> None:
    settings = make_settings(tenants_url="database", data_dir=tmp_path, admin_token=TOKEN)
    app = create_app(settings)
    async with client_of(app, key=TOKEN) as client:
        for file in tmp_path.glob("gateway.db*"):
            file.write_bytes(b"no database")
        problem(await client.get(TENANTS), 503, "state_unavailable")
