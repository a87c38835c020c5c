"""The operators' status page: who gets in, and what its forms do."""

import re
from typing import Any

import httpx2
import pytest

from tests.admin.conftest import TOKEN, make_key

NOBODY = {"Authorization": ""}


@pytest.fixture(autouse=True)
def _pages(admin: httpx2.AsyncClient) -> None:
    """The API's document says nothing of pages."""
    admin.event_hooks = {}


async def sign_in(admin: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
    return await admin.post("/admin/sign-in", data={"token": TOKEN}, headers={**NOBODY, **headers})


async def form_token(admin: httpx2.AsyncClient, path: str = "/admin/tenants/acme") -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', (await admin.get(path, headers=NOBODY)).text)
    assert found
    return found[1]


async def test_the_token_opens_a_session_that_other_sites_cannot_use(admin: httpx2.AsyncClient) -> None:
    page = await admin.get("/admin", headers=NOBODY)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "script" not in page.headers["content-security-policy"]
    assert 'name="token"' in page.text
    wrong = await admin.post("/admin/sign-in", data={"token": "wrong"}, headers=NOBODY)
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    plain, behind_https = await sign_in(admin), await sign_in(admin, **{"X-Forwarded-Proto": "https"})
    assert plain.status_code == 303
    attributes = plain.headers["set-cookie"].lower()
    assert all(each in attributes for each in ("httponly", "samesite=strict", "path=/admin"))
    assert ("secure" in attributes, "secure" in behind_https.headers["set-cookie"].lower()) == (False, True)
    # The API of operators takes the token alone.
    assert (await admin.get("/admin/v1/breakers", headers=NOBODY)).status_code == 401


async def test_a_forged_or_former_cookie_is_none(admin: httpx2.AsyncClient) -> None:
    cookie = (await sign_in(admin)).headers["set-cookie"].partition("=")[2].partition(";")[0]
    stamp, _, signature = cookie.rpartition(".")
    later = f"{int(stamp.partition('.')[0]) + 1}.{stamp.partition('.')[2]}"
    for value in (f"{later}.{signature}", f"{stamp}.{'0' * 64}", stamp, "..", ""):
        admin.cookies.clear()
        forged = {**NOBODY, "Cookie": f"umail_gateway_operator={value}"}
        assert 'name="token"' in (await admin.get("/admin", headers=forged)).text, value


async def test_keys_are_made_rotated_and_revoked(admin: httpx2.AsyncClient, acme: dict[str, Any]) -> None:
    assert (await admin.post("/admin/v1/tenants", json={**acme, "name": "<b>Acme</b> & Sons"})).status_code == 201
    await sign_in(admin)
    assert "&lt;b&gt;Acme&lt;/b&gt; &amp; Sons" in (await admin.get("/admin", headers=NOBODY)).text
    token = await form_token(admin)

    async def post(path: str, **fields: str) -> httpx2.Response:
        path = f"/admin/tenants/acme/keys{path}"
        return await admin.post(path, data={"form_token": token, **fields}, headers=NOBODY)

    made = await post("", id="web", **{"scope-read": "on"}, networks="127.0.0.0/8, 10.0.0.0/8")
    assert made.status_code == 201
    found = re.search(r'id="new-key">([^<]+)<', made.text)
    assert found
    key = {"Authorization": f"Bearer {found[1]}"}
    assert (await admin.get("/v1/account", headers=key)).status_code == 200
    assert found[1] not in (await admin.get("/admin/tenants/acme", headers=NOBODY)).text
    again = await post("", id="web", **{"scope-read": "on"})
    assert (again.status_code, "ids are not used twice" in again.text) == (409, True)
    for fields in ({"id": "other"}, {"scope-read": "on", "networks": "everywhere"}):
        refused = await post("", **fields)
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
    assert (await post("/web/rotate")).status_code == 201
    assert (await post("/web/revoke")).status_code == 303
    assert (await admin.get("/v1/account", headers=key)).status_code == 401
    usage = (await admin.get("/admin/tenants/acme", headers=NOBODY)).text
    assert 'data-name="Requests">1<' in usage


@pytest.mark.parametrize("given", [None, "0" * 64])
async def test_a_form_of_another_site_changes_nothing(
    admin: httpx2.AsyncClient, acme: dict[str, Any], given: str | None
) -> None:
    await admin.post("/admin/v1/tenants", json=acme)
    await make_key(admin)
    await sign_in(admin)
    fields = {"form_token": given} if given else {}
    refused = await admin.post("/admin/tenants/acme/keys/web/revoke", data=fields, headers=NOBODY)
    assert refused.status_code == 403
    large = await admin.post("/admin/tenants/acme/keys/web/revoke", data={"form_token": "0" * 9000}, headers=NOBODY)
    assert large.status_code == 413
    admin.cookies.clear()
    anonymous = await admin.post("/admin/tenants/acme/keys/web/revoke", data=fields, headers=NOBODY)
    assert (anonymous.status_code, anonymous.headers["location"]) == (303, "/admin")
    (key,) = (await admin.get("/admin/v1/tenants/acme/keys")).json()["data"]
    assert key["revoked_at"] is None
