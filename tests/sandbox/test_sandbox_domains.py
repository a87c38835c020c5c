"""Chapter 7: domains and mailboxes, own and a customer's."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.sandbox import Sandbox

Ask = Callable[..., Awaitable[dict[str, Any]]]
Later = Callable[..., None]


async def _domains(ask: Ask, **query: object) -> list[tuple[str, str]]:
    return [(entry["customer_id"], entry["domain"]) for entry in (await ask("domain-list", **query))["data"]]


async def _mailboxes(ask: Ask, **query: object) -> list[str]:
    return [entry["mailbox"] for entry in (await ask("mailbox-list", **query)).get("data", [])]


class TestDomains:
    async def test_only_the_system_domain_at_first(self, ask: Ask) -> None:
        assert await _domains(ask) == [("0", "system-mail.example")]

    @pytest.mark.parametrize(
        ("name", "status"), [("verified.acme.example", "success_and_check_ok"), ("New.acme.example", "success")]
    )
    async def test_add(self, ask: Ask, sandbox: Sandbox, name: str, status: str) -> None:
        reply = await ask("customer-domain-add", domain=name)
        state = sandbox.state("acme")
        assert (reply["status"], reply["data"]) == (status, str(state.domains[name.lower()].id))
        assert (str(state.customer_id), name.lower()) in await _domains(ask)
        assert (await ask("customer-domain-add", domain=name))["status"] == "domain_exist"

    async def test_check_tells_four_cases_apart(self, ask: Ask, sandbox: Sandbox) -> None:
        await ask("customer-domain-add", domain="verified-a.example")
        await ask("customer-domain-add", domain="b.example")
        names = "verified-a.example, b.example,verified-c.example,d.example"
        entries = (await ask("domain-check", form={"domains": names}))["domain"]
        assert [(entry["val"], entry["status"]) for entry in entries] == [
            ("verified-a.example", "3"),
            ("b.example", "2"),
            ("verified-c.example", "1"),
            ("d.example", "0"),
        ]
        known = sandbox.state("acme").domains
        assert [entry["domain_id"] for entry in entries] == [str(domain.id) for domain in known.values()] + ["0", "0"]
        assert entries[3]["info"] == "系统不存在并验证不通过"

    async def test_records_of_a_domain_appear_some_time_after_it_was_added(self, ask: Ask, later: Later) -> None:
        await ask("customer-domain-add", domain="soon.acme.example")
        for seconds, status in ((29, "2"), (1, "3")):
            later(seconds=seconds)
            (checked,) = (await ask("domain-check", form={"domains": "soon.acme.example"}))["domain"]
            assert checked["status"] == status

    async def test_verified_domain_stays(self, ask: Ask) -> None:
        for name in ("verified.example", "b.example"):
            await ask("customer-domain-add", domain=name)
        assert (await ask("customer-domain-del", domain="verified.example"))["status"] == "domain_verified"
        assert (await ask("customer-domain-del", domain="b.example"))["status"] == "success"
        assert (await ask("customer-domain-del", domain="b.example"))["status"] == "not_exist"
        assert [name for _, name in await _domains(ask)] == ["system-mail.example", "verified.example"]

    async def test_refusals(self, ask: Ask) -> None:
        assert (await ask("customer-domain-add", domain="no domain"))["status"] == "domain_error"
        assert (await ask("customer-domain-add"))["status"] == "param_error"
        assert (await ask("domain-check", form={"domains": ""}))["status"] == "param_error"


class TestMailboxes:
    @pytest.fixture(autouse=True)
    async def _domain(self, ask: Ask) -> None:
        await ask("customer-domain-add", domain="b.example")

    async def test_life(self, ask: Ask, sandbox: Sandbox) -> None:
        assert await _mailboxes(ask, domain="b.example") == []
        assert (await ask("mailbox-add", mailbox="News@b.example", pwd="p&1 "))["status"] == "success"
        (entry,) = (await ask("mailbox-list", domain="b.example"))["data"]
        customer = str(sandbox.state("acme").customer_id)
        assert entry == {"customer_id": customer, "domain": "b.example", "name": "news", "mailbox": "news@b.example"}
        assert sandbox.state("acme").mailboxes["news@b.example"].password == "p&1 "
        assert (await ask("mailbox-edit", mailbox="news@b.example", pwd="p2"))["status"] == "success"
        assert sandbox.state("acme").mailboxes["news@b.example"].password == "p2"
        assert (await ask("mailbox-del", mailbox="news@b.example"))["status"] == "success"
        assert await _mailboxes(ask, domain="b.example") == []

    async def test_pages(self, ask: Ask) -> None:
        for number in range(32):
            await ask("mailbox-add", mailbox=f"m{number:02}@b.example", pwd="p")
        assert len(await _mailboxes(ask, domain="b.example")) == 32
        assert len(await _mailboxes(ask, domain="b.example", page=1)) == 30
        assert await _mailboxes(ask, domain="b.example", page=2) == ["m30@b.example", "m31@b.example"]
        assert await _mailboxes(ask, domain="b.example", page=2, limit=3) == [f"m0{n}@b.example" for n in (3, 4, 5)]

    async def test_refusals(self, ask: Ask) -> None:
        await ask("mailbox-add", mailbox="a@b.example", pwd="p")
        expected = [
            ("mailbox-add", {"mailbox": "a@b.example", "pwd": "p"}, "mailbox_exist"),
            ("mailbox-add", {"mailbox": "a@c.example", "pwd": "p"}, "not_exist"),
            ("mailbox-add", {"mailbox": "a", "pwd": "p"}, "mailbox_error"),
            ("mailbox-add", {"mailbox": "c@b.example"}, "password_error"),
            ("mailbox-edit", {"mailbox": "a@b.example"}, "password_error"),
            ("mailbox-edit", {"mailbox": "c@b.example", "pwd": "p"}, "not_exist"),
            ("mailbox-del", {"mailbox": "c@b.example"}, "not_exist"),
            ("mailbox-list", {"domain": "c.example"}, "not_exist"),
            ("mailbox-list", {}, "param_error"),
        ]
        for operation, query, status in expected:
            assert (await ask(operation, **query))["status"] == status, operation

    async def test_deleting_a_domain_takes_its_mailboxes_along(self, ask: Ask, sandbox: Sandbox) -> None:
        await ask("mailbox-add", mailbox="a@b.example", pwd="p")
        await ask("customer-domain-del", domain="b.example")
        assert sandbox.state("acme").mailboxes == {}


class TestManager:
    async def test_acts_for_a_customer(self, ask_boss: Ask, ask: Ask, sandbox: Sandbox) -> None:
        customer = sandbox.state("acme").customer_id
        as_manager: dict[str, Any] = {"customer_id": customer, "user_type": "manager"}
        assert (await ask_boss("domain-add", customer_id=customer, domain="c.example"))["status"] == "success"
        assert (str(customer), "c.example") in await _domains(ask_boss, **as_manager)
        assert (str(customer), "c.example") in await _domains(ask)
        await ask_boss("mailbox-add", mailbox="x@c.example", pwd="p", **as_manager)
        assert await _mailboxes(ask_boss, domain="c.example", **as_manager) == ["x@c.example"]
        await ask_boss("mailbox-edit", mailbox="x@c.example", pwd="q", **as_manager)
        assert sandbox.state("acme").mailboxes["x@c.example"].password == "q"
        await ask_boss("mailbox-del", mailbox="x@c.example", **as_manager)
        assert await _mailboxes(ask, domain="c.example") == []
        assert (await ask_boss("domain-del", customer_id=customer, domain="c.example"))["status"] == "success"
        assert [name for _, name in await _domains(ask)] == ["system-mail.example"]

    async def test_without_user_type_means_its_own(self, ask_boss: Ask) -> None:
        await ask_boss("customer-domain-add", domain="boss.example")
        assert [name for _, name in await _domains(ask_boss)] == ["system-mail.example", "boss.example"]

    async def test_verified_domain_of_a_customer_stays(self, ask_boss: Ask, sandbox: Sandbox) -> None:
        query = {"customer_id": sandbox.state("demo").customer_id, "domain": "demo.example"}
        assert (await ask_boss("domain-del", **query))["status"] == "domain_verified"

    async def test_customers_may_not(self, ask: Ask, sandbox: Sandbox) -> None:
        customer = sandbox.state("demo").customer_id
        for operation in ("domain-add", "domain-del"):
            assert (await ask(operation, customer_id=customer, domain="x.example"))["status"] == "no_permission"
        query = {"customer_id": customer, "user_type": "manager", "domain": "demo.example"}
        assert (await ask("mailbox-list", **query))["status"] == "no_permission"

    async def test_customer_must_exist(self, ask_boss: Ask, sandbox: Sandbox) -> None:
        for number in (1, sandbox.state("boss").customer_id):
            reply = await ask_boss("domain-add", customer_id=number, domain="x.example")
            assert reply["status"] == "customer_not_exist"
        assert (await ask_boss("domain-list", user_type="manager"))["status"] == "param_error"
