"""Credentials, dispatch, chapter 1 and the console login."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from app.sandbox import Account, Sandbox
from app.sandbox.operations import NAMES, OPERATIONS

Ask = Callable[..., Awaitable[dict[str, Any]]]
MANUAL = {
    "account": "customer-info service-info",
    "task": "list-task task-list add-task edit-task del-task",
    "statistic": "",
    "failexport": "",
    "failexportall": "",
    "stask": "",
    "deduction": "",
    "track": "overview open-detail click-detail link-stat",
    "trackexport": "",
    "mloperate": "maillist-list maillist-detail maillist-add maillist-edit maillist-del subscription-export"
    " unsubscribe-export ml-addr-list ml-addr-add ml-addr-add-file ml-addr-add-file-query ml-addr-edit ml-addr-del"
    " ml-addr-empty ml-sub ml-unsub ml-addr-add-log",
    "template": "add-tpl get-tpl-status list-tpl del-tpl edit-tpl tpl-attachment-add tpl-attachment-del",
    "bs": "domain-list customer-domain-add domain-check domain-add domain-del customer-domain-del mailbox-list"
    " mailbox-add mailbox-del mailbox-edit",
}
INFO = "/mm-ms/apinew/account.php?do=customer-info"


def _legacy(username: str, password: str) -> dict[str, str]:
    digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    return {"do": "customer-info", "username": username, "password": digest}


async def test_customer_info(ask_demo: Ask, sandbox: Sandbox) -> None:
    info = await ask_demo("customer-info")
    assert list(info) == ["id", "username", "company", "contact", "phone", "mobile", "email", "im", "address"]
    assert info["id"] == str(sandbox.state("demo").customer_id)
    assert info["username"] == "demo"
    assert info["phone"] == "075512345678"
    assert info["im"] is None


async def test_service_info_counts_down_with_what_was_sent(ask: Ask, ask_demo: Ask, sandbox: Sandbox) -> None:
    fresh, used = await ask("service-info"), await ask_demo("service-info")
    assert fresh["qty_available"] == fresh["qty_buytotal"] == "100000"
    assert (fresh["service_status"], fresh["service_type"], fresh["send_type"]) == ("enabled", "all", "local")
    assert fresh["beginning_date"] < "2026-11-22" < fresh["expiration_date"]
    delivered = 0
    for campaign_id in sandbox.state("demo").campaigns:
        delivered += sum(int(task["success"]) for task in (await ask_demo("stask", id=campaign_id)).get("task", []))
    assert delivered == 100_000 - int(used["qty_available"]) > 0


async def test_values_stand_in_white_space(web: httpx2.AsyncClient) -> None:
    response = await web.get(INFO, auth=("acme", "secret"))
    assert "<username>\r\n   acme\r\n </username>" in response.text
    assert response.text.startswith('<?xml version="1.0" encoding="UTF-8"?>')


@pytest.mark.parametrize("auth", [None, ("acme", "wrong"), ("nobody", "secret"), ("acme", "")])
async def test_bad_credentials_get_401(web: httpx2.AsyncClient, sandbox: Sandbox, auth: tuple[str, str] | None) -> None:
    response = await web.get(INFO, auth=auth)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert (sandbox.calls[-1].account, sandbox.calls[-1].processed) == (None, False)


async def test_malformed_authorization_gets_401(web: httpx2.AsyncClient) -> None:
    for value in ("Basic ???", "Bearer x", "Basic"):
        assert (await web.get(INFO, headers={"Authorization": value})).status_code == 401


async def test_legacy_endpoint_takes_the_md5_of_the_password(web: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    response = await web.get("/mm-ms/api/account.php", params=_legacy("demo", "pässwort"))
    assert "<username>" in response.text
    assert (sandbox.calls[-1].account, sandbox.calls[-1].endpoint) == ("demo", "api")


@pytest.mark.parametrize("parameters", [_legacy("acme", "wrong"), _legacy("nobody", "secret"), {"do": "customer-info"}])
async def test_bad_credentials_on_the_legacy_endpoint_are_a_result(
    web: httpx2.AsyncClient, parameters: dict[str, str]
) -> None:
    response = await web.get("/mm-ms/api/account.php", params=parameters, auth=("acme", "secret"))
    assert response.status_code == 200
    assert "auth_error" in response.text


async def test_unknown_operation_and_script(web: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    response = await web.get("/mm-ms/apinew/account.php?do=no-such-thing", auth=("acme", "secret"))
    assert response.status_code == 200
    assert "do_error" in response.text
    assert (sandbox.calls[-1].operation, sandbox.calls[-1].processed) == ("no-such-thing", False)
    assert (await web.get("/mm-ms/apinew/nothing.php", auth=("acme", "secret"))).status_code == 404


async def test_broken_multipart_gets_400(web: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    response = await web.post(INFO, content=b"no parts", headers=headers, auth=("acme", "secret"))
    assert response.status_code == 400


def test_every_operation_of_the_manual_is_there() -> None:
    by_script: dict[str, set[str]] = {}
    for script, do in OPERATIONS:
        by_script.setdefault(script, set()).add(do)
    assert by_script == {script: set(names.split(" ")) for script, names in MANUAL.items()}
    assert {"statistic", "failexport", "overview", "login"} <= NAMES


async def test_calls_are_recorded(ask: Ask, sandbox: Sandbox) -> None:
    await ask("maillist-add", form={"subject": "名单", "status": "enabled"}, headers={"X-Request-ID": "r1"})
    await ask("maillist-list")
    first, second = sandbox.calls
    assert (first.account, first.operation, first.script, first.method) == ("acme", "maillist-add", "mloperate", "POST")
    assert first.query == {"do": "maillist-add"}
    assert first.form == {"subject": "名单", "status": "enabled"}
    assert first.headers["X-Request-ID"] == "r1"
    assert (second.operation, second.method, second.form) == ("maillist-list", "GET", {})


class TestLogin:
    URL = "/sendstat/?module=base&action=login"

    async def test_right_login_gets_a_page(self, web: httpx2.AsyncClient) -> None:
        form = {"username": "acme", "password": "secret", "user_type": "", "errurl": "http://site.example/e"}
        response = await web.post(self.URL, data=form)
        assert response.status_code == 200
        assert "登录成功" in response.text

    async def test_manager_needs_the_manager_type(self, web: httpx2.AsyncClient) -> None:
        form = {"username": "boss", "password": "boss-secret", "user_type": "manager"}
        assert "登录成功" in (await web.post(self.URL, data=form)).text
        assert "登录成功" not in (await web.post(self.URL, data=form | {"user_type": ""})).text

    async def test_wrong_login_goes_to_errurl(self, web: httpx2.AsyncClient) -> None:
        form = {"username": "acme", "password": "no", "errurl": "http://site.example/error.html"}
        response = await web.post(self.URL, data=form)
        assert (response.status_code, response.headers["location"]) == (302, "http://site.example/error.html")

    async def test_wrong_login_without_errurl_gets_a_page(self, web: httpx2.AsyncClient) -> None:
        for form in ({"username": "acme", "password": "no", "errurl": "javascript:x"}, {"username": "nobody"}):
            response = await web.post(self.URL, data=form)
            assert (response.status_code, "用户名或密码错误" in response.text) == (200, True)


async def test_accounts_are_isolated(ask: Ask, ask_demo: Ask, sandbox: Sandbox) -> None:
    demo = sandbox.state("demo")
    list_id, contact_id, campaign_id = next(iter(demo.lists)), next(iter(demo.contacts)), next(iter(demo.campaigns))
    before = json.dumps(await ask_demo("maillist-list"))
    assert await ask("maillist-list") == {}
    assert (await ask("maillist-detail", id=list_id))["status"] == "not_exist"
    assert (await ask("maillist-del", id=list_id))["status"] == "not_exist"
    assert (await ask("ml-addr-del", id=contact_id))["status"] == "not_exist"
    assert (await ask("ml-addr-list", address_id=contact_id))["total_num"] == "0"
    assert await ask("task-list", id=campaign_id) == {}
    assert await ask("overview", id=campaign_id) == {}
    assert await ask("overview", ident=demo.campaigns[campaign_id].ident) == {}
    assert (await ask("failexportall", date="2000-01-01", date_end="2100-01-01", type=-1, out_type="xml")) == {}
    assert json.dumps(await ask_demo("maillist-list")) == before


class TestServer:
    async def test_two_accounts_of_one_name_are_refused(self) -> None:
        with pytest.raises(ValueError, match="username"):
            Sandbox([Account("a", "1"), Account("a", "2")])

    async def test_needs_to_run_for_a_url(self) -> None:
        sandbox = Sandbox([Account("a", "1")])
        with pytest.raises(RuntimeError):
            _ = sandbox.base_url
        with pytest.raises(RuntimeError):
            _ = sandbox.smtp_port
        await sandbox.stop()

    async def test_state_outlasts_a_restart_and_urls_end_in_a_slash(self) -> None:
        sandbox = Sandbox([Account("a", "1", seeded=True)])
        lists = set(sandbox.state("a").lists)
        for _ in range(2):
            await sandbox.start()
            assert sandbox.base_url.endswith("/mm-ms/apinew/")
            assert sandbox.legacy_base_url.endswith("/mm-ms/api/")
            with pytest.raises(RuntimeError):
                await sandbox.start()
            await sandbox.stop()
        assert set(sandbox.state("a").lists) == lists

    async def test_a_taken_port_is_an_error_and_leaves_nothing_behind(self, sandbox: Sandbox) -> None:
        port = int(sandbox.origin.rpartition(":")[2])
        second = Sandbox([Account("a", "1")])
        with pytest.raises(OSError, match="address already in use"):
            await second.start(port=port)
        await second.start()
        await second.stop()

    def test_a_naive_clock_is_refused(self) -> None:
        with pytest.raises(ValueError, match="aware"):
            Sandbox([Account("a", "1", seeded=True)], lambda: datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))

    def test_unknown_account_state(self) -> None:
        with pytest.raises(KeyError):
            Sandbox([]).state("nobody")

    def test_passwords_stay_out_of_representations(self) -> None:
        assert "top-secret" not in repr(Account("a", "top-secret"))
