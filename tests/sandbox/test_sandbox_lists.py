"""Chapter 4: lists and addresses."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]
Later = Callable[..., None]


@pytest.fixture
async def list_id(ask: Ask) -> str:
    reply = await ask("maillist-add", form={"subject": "客户 & Co", "status": "enabled"})
    return str(reply["data"])


async def _contacts(ask: Ask, **query: object) -> list[dict[str, Any]]:
    contacts: list[dict[str, Any]] = (await ask("ml-addr-list", **query)).get("addr", [])
    return contacts


class TestLists:
    async def test_no_lists_is_an_empty_root(self, fetch: Fetch) -> None:
        assert (await fetch("maillist-list")).text.rstrip().endswith("<maillist></maillist>")

    async def test_added_list_is_listed_and_detailed(self, ask: Ask, list_id: str) -> None:
        facts = {"id": list_id, "subject": "客户 & Co", "count": "0", "status": "enabled"}
        assert (await ask("maillist-list"))["item"] == [facts | {"descrīption": None}]
        assert await ask("maillist-detail", id=list_id) == facts | {"description": None}

    @pytest.mark.parametrize("spelling", ["description", "descrīption"])
    async def test_description_is_taken_in_both_spellings(self, ask: Ask, spelling: str) -> None:
        form = {"subject": "s", "status": "disabled", spelling: "说明"}
        added = await ask("maillist-add", form=form)
        assert (await ask("maillist-detail", id=added["data"]))["description"] == "说明"
        await ask("maillist-edit", id=added["data"], form={spelling: ""})
        assert (await ask("maillist-detail", id=added["data"]))["description"] is None

    @pytest.mark.parametrize(
        "form",
        [
            {"subject": "x"},
            {"status": "enabled"},
            {"subject": "x", "status": "on"},
            {"subject": " ", "status": "enabled"},
        ],
    )
    async def test_bad_list_is_refused(self, ask: Ask, form: dict[str, str]) -> None:
        assert (await ask("maillist-add", form=form))["status"] == "add_maillist_error"
        assert await ask("maillist-list") == {}

    async def test_parameters_of_an_addition_must_be_posted(self, ask: Ask) -> None:
        assert (await ask("maillist-add", subject="x", status="enabled"))["status"] == "add_maillist_error"

    async def test_edit_changes_only_what_is_given(self, ask: Ask, list_id: str) -> None:
        assert (await ask("maillist-edit", id=list_id, form={"status": "disabled"}))["status"] == "success"
        detail = await ask("maillist-detail", id=list_id)
        assert (detail["subject"], detail["status"]) == ("客户 & Co", "disabled")
        assert (await ask("maillist-edit", id=list_id, form={"status": "?"}))["status"] == "update_maillist_error"
        assert (await ask("maillist-edit", id=1, form={"subject": "x"}))["status"] == "not_exist"

    async def test_description_has_a_limit(self, ask: Ask, list_id: str) -> None:
        form = {"subject": "s", "status": "enabled", "description": "长" * 256}
        assert (await ask("maillist-add", form=form))["status"] == "add_describe_error"
        assert (await ask("maillist-edit", id=list_id, form=form))["status"] == "update_describe_error"
        assert (await ask("maillist-detail", id=list_id))["subject"] == "客户 & Co"

    async def test_delete_takes_the_addresses_along(self, ask: Ask, list_id: str) -> None:
        await ask("ml-addr-add", list_id=list_id, address="a@example.com")
        assert (await ask("maillist-del", id=list_id))["status"] == "success"
        assert await ask("maillist-list") == {}
        assert (await ask("ml-addr-list"))["total_num"] == "0"
        assert (await ask("maillist-del", id=list_id))["status"] == "not_exist"

    @pytest.mark.parametrize("operation", ["maillist-detail", "maillist-edit", "maillist-del", "subscription-export"])
    async def test_id_is_required_and_a_number(self, ask: Ask, operation: str) -> None:
        assert (await ask(operation))["status"] == "param_error"
        assert (await ask(operation, id="x"))["status"] == "param_error"

    async def test_empty(self, ask: Ask, list_id: str) -> None:
        for name in "ab":
            await ask("ml-addr-add", list_id=list_id, address=f"{name}@example.com")
        assert (await ask("maillist-detail", id=list_id))["count"] == "2"
        assert (await ask("ml-addr-empty", list_id=list_id))["status"] == "success"
        assert (await ask("maillist-detail", id=list_id))["count"] == "0"
        assert (await ask("ml-addr-add", list_id=list_id, address="a@example.com"))["status"] == "success"


class TestOneAddress:
    async def test_every_field_comes_back(self, ask: Ask, list_id: str) -> None:
        given = {"fullname": "王 <伟>", "sex": "F", "birthday": "1986-08-15", "phone": "0755", "area": "北京]]>x"}
        variables = {f"var{number}": f"v&{number}" for number in range(1, 11)}
        added = await ask("ml-addr-add", list_id=list_id, address="A.B@Example.com", return_id=1, **given, **variables)
        (contact,) = await _contacts(ask, list_id=list_id)
        assert contact == {
            "id": added["data"],
            "list_id": list_id,
            "address": "a.b@example.com",
            "brithday": "1986-08-15",
            "phone": "0755",
            "area": "北京]]>x",
            "fullname": "王 <伟>",
            "sex": "F",
            "time": "2026-11-22 13:04:05",
            **variables,
        }

    async def test_only_an_address(self, ask: Ask, list_id: str) -> None:
        added = await ask("ml-addr-add", form={"list_id": list_id, "address": "a@example.com"})
        assert (added["status"], added["data"]) == ("success", "添加成功")
        (contact,) = await _contacts(ask)
        assert (contact["brithday"], contact["fullname"], contact["var1"]) == ("0000-00-00", None, None)

    async def test_the_same_address_again_updates(self, ask: Ask, list_id: str) -> None:
        query = {"list_id": list_id, "address": "a@example.com", "return_id": 1}
        first = await ask("ml-addr-add", **query, fullname="Anna", phone="1")
        second = await ask("ml-addr-add", **query, fullname="Berta")
        assert first["data"] == second["data"]
        (contact,) = await _contacts(ask)
        assert (contact["fullname"], contact["phone"]) == ("Berta", "1")

    async def test_refusals(self, ask: Ask, list_id: str) -> None:
        for address in ("nobody", "a@b", "a b@example.com", "@example.com", "名@example.com"):
            assert (await ask("ml-addr-add", list_id=list_id, address=address))["status"] == "address_error"
        assert (await ask("ml-addr-add", list_id=list_id))["status"] == "param_error"
        assert (await ask("ml-addr-add", address="a@example.com"))["status"] == "param_error"
        assert (await ask("ml-addr-add", list_id=7, address="a@example.com"))["status"] == "not_exist"
        assert await _contacts(ask) == []

    async def test_edit(self, ask: Ask, list_id: str) -> None:
        one = await ask("ml-addr-add", list_id=list_id, address="a@example.com", fullname="Anna", return_id=1)
        await ask("ml-addr-add", list_id=list_id, address="b@example.com")
        assert (await ask("ml-addr-edit", id=one["data"], form={"phone": "007", "fullname": ""}))["status"] == "success"
        assert (await ask("ml-addr-edit", id=one["data"], address="C@example.com"))["status"] == "success"
        (contact,) = await _contacts(ask, address_id=one["data"])
        assert (contact["address"], contact["phone"], contact["fullname"]) == ("c@example.com", "007", None)
        assert (await ask("ml-addr-edit", id=one["data"], address="b@example.com"))["status"] == "address_exist"
        assert (await ask("ml-addr-edit", id=one["data"], address="b"))["status"] == "address_error"
        assert (await ask("ml-addr-edit", id=5, phone="1"))["status"] == "not_exist"
        await ask("ml-addr-add", list_id=list_id, address="a@example.com")
        assert len(await _contacts(ask)) == 3

    async def test_delete(self, ask: Ask, list_id: str) -> None:
        added = await ask("ml-addr-add", list_id=list_id, address="a@example.com", return_id=1)
        assert (await ask("ml-addr-del", id=added["data"]))["status"] == "success"
        assert (await ask("ml-addr-del", id=added["data"]))["status"] == "not_exist"
        assert await _contacts(ask) == []


class TestBatch:
    async def test_line_rules(self, ask: Ask, list_id: str) -> None:
        lines = (
            "邮件地址;名称;性别\n"
            "Anna@Example.com;Anna;女;1986-08-10;0135;北京;v1;v2;v3;v4;v5;v6;v7;v8;v9;v10;too many\n"
            "bob@example.com，Bob，男\r\n"
            "\n"
            "carl@example.com\tCarl；M,1999-13-40\n"
            "not an address;x\n"
            "anna@example.com;Anna B;"
        )
        reply = await ask("ml-addr-add", list_id=list_id, addr_type="string", form={"ml_addr": lines})
        assert reply["data"] == "成功添加3个地址，无效地址1个，重复地址1个"
        anna, bob, carl = await _contacts(ask, list_id=list_id)
        assert (anna["fullname"], anna["sex"], anna["phone"], anna["area"]) == ("Anna B", "F", "0135", "北京")
        assert [anna[f"var{number}"] for number in range(1, 11)] == [f"v{number}" for number in range(1, 11)]
        assert (bob["address"], bob["fullname"], bob["sex"], bob["brithday"]) == (
            "bob@example.com",
            "Bob",
            "M",
            "0000-00-00",
        )
        assert (carl["fullname"], carl["sex"], carl["brithday"]) == ("Carl", "M", "0000-00-00")

    async def test_own_separator(self, ask: Ask, list_id: str) -> None:
        form = {"ml_addr": "a@example.com;A##b@example.com;B"}
        await ask("ml-addr-add", list_id=list_id, separate="##", form=form)
        assert [contact["fullname"] for contact in await _contacts(ask)] == ["A", "B"]

    async def test_nothing_to_add(self, ask: Ask, list_id: str) -> None:
        reply = await ask("ml-addr-add", list_id=list_id, form={"ml_addr": "邮件地址;名称\n\n"})
        assert reply["status"] == "param_error"

    async def test_one_address_may_be_in_two_lists(self, ask: Ask, list_id: str) -> None:
        second = await ask("maillist-add", form={"subject": "2", "status": "enabled"})
        for number in (list_id, second["data"]):
            reply = await ask("ml-addr-add", list_id=number, form={"ml_addr": "a@example.com"})
            assert "重复地址0个" in reply["data"]
        assert len(await _contacts(ask)) == 2


class TestSearch:
    async def test_pages(self, ask_demo: Ask, sandbox: Sandbox) -> None:
        list_id = next(iter(sandbox.state("demo").lists))
        everything = await ask_demo("ml-addr-list", list_id=list_id)
        pages = [await ask_demo("ml-addr-list", list_id=list_id, page=page, limit=25) for page in (1, 2, 3, 4)]
        assert [len(page.get("addr", [])) for page in pages] == [25, 25, 10, 0]
        assert {page["total_num"] for page in pages} == {"60"}
        assert [contact for page in pages for contact in page.get("addr", [])] == everything["addr"]
        assert len((await ask_demo("ml-addr-list", page=1))["addr"]) == 50
        assert len((await ask_demo("ml-addr-list"))["addr"]) == 120

    async def test_keyword_in_address_or_name(self, ask_demo: Ask) -> None:
        assert {contact["fullname"] for contact in await _contacts(ask_demo, keyword="garcía")} == {"María García"}
        assert all("欧阳" in contact["fullname"] for contact in await _contacts(ask_demo, keyword="欧阳"))
        (contact,) = await _contacts(ask_demo, keyword="FANG001@")
        assert contact["address"] == "li.fang001@example.org"

    async def test_list_zero_means_in_no_list(self, ask_demo: Ask) -> None:
        contacts = await _contacts(ask_demo, list_id=0)
        assert len(contacts) == 3
        assert {contact["list_id"] for contact in contacts} == {"0"}

    async def test_list_id_counts_in_the_url_only(self, ask_demo: Ask) -> None:
        assert (await ask_demo("ml-addr-list", form={"list_id": "0"}))["total_num"] == "120"

    async def test_list_of_one_is_a_single_element(self, fetch_demo: Fetch, sandbox: Sandbox) -> None:
        contact_id = next(iter(sandbox.state("demo").contacts))
        text = (await fetch_demo("ml-addr-list", address_id=contact_id)).text
        assert (text.count("<addr>"), text.count("<total_num>1<")) == (1, 1)


class TestImports:
    async def _upload(self, ask: Ask, list_id: str, content: bytes, name: str = "a.csv") -> str:
        reply = await ask("ml-addr-add-file", list_id=list_id, files=[("file", (name, content))])
        assert reply["status"] == "success"
        return str(reply["data"])

    async def _log(self, ask: Ask) -> dict[str, Any]:
        entry: dict[str, Any] = (await ask("ml-addr-add-log"))["data"]["address_log"][0]
        return entry

    async def test_second_question_finds_it_done(self, ask: Ask, list_id: str) -> None:
        lines = "邮件地址,名称\r\na@example.com,甲\r\nb@example.com,乙\r\nbad\r\nA@example.com,甲\r\n"
        number = await self._upload(ask, list_id, lines.encode(), "名单.csv")
        assert await _contacts(ask) == []
        assert (await self._log(ask))["status"] == "0"
        states = [(await ask("ml-addr-add-file-query", id=number))["status"] for _ in range(3)]
        assert states == ["no_complete", "success", "success"]
        assert [contact["fullname"] for contact in await _contacts(ask)] == ["甲", "乙"]
        entry = await self._log(ask)
        assert (entry["filename"], entry["subject"], entry["status"]) == ("名单.csv", "客户 & Co", "1")
        assert (entry["count_all"], entry["count_err_1"], entry["count_err_2"]) == ("4", "1", "1")
        assert entry["time_import"] == "2026-11-22 13:04:05"
        assert entry["filepath"].startswith("/usr/local/umail/")

    async def test_time_finishes_it_too(self, ask: Ask, list_id: str, later: Later) -> None:
        number = await self._upload(ask, list_id, b"a@example.com;A")
        later(seconds=10)
        assert (await ask("ml-addr-add-file-query", id=number))["status"] == "success"
        assert len(await _contacts(ask)) == 1

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
    async def test_encodings(self, ask: Ask, list_id: str, encoding: str, later: Later) -> None:
        await self._upload(ask, list_id, "a@example.com;王伟".encode(encoding))
        later(minutes=1)
        assert [contact["fullname"] for contact in await _contacts(ask)] == ["王伟"]

    @pytest.mark.parametrize(("content", "status"), [(b"\r\n", "-2"), (b"PK\0\0", "-3"), (b"\x81\xff\xff", "-3")])
    async def test_failed_imports(self, ask: Ask, list_id: str, content: bytes, status: str, later: Later) -> None:
        await self._upload(ask, list_id, content)
        later(minutes=1)
        assert (await self._log(ask))["status"] == status

    async def test_list_gone_meanwhile(self, ask: Ask, list_id: str, later: Later) -> None:
        await self._upload(ask, list_id, b"a@example.com")
        await ask("maillist-del", id=list_id)
        later(minutes=1)
        assert (await self._log(ask))["status"] == "-1"

    async def test_refusals(self, ask: Ask, list_id: str) -> None:
        assert (await ask("ml-addr-add-file", list_id=list_id, form={}))["status"] == "file_error"
        files = [("file", ("a.csv", b"a@example.com"))]
        assert (await ask("ml-addr-add-file", list_id=3, files=files))["status"] == "not_exist"
        assert (await ask("ml-addr-add-file-query", id=3))["status"] == "not_exist"
        assert (await ask("ml-addr-add-file-query", id="x"))["status"] == "error"
        assert (await ask("ml-addr-add-file-query"))["status"] == "error"

    async def test_list_id_may_be_posted_and_the_call_keeps_the_file(
        self, ask: Ask, list_id: str, sandbox: Sandbox
    ) -> None:
        await ask("ml-addr-add-file", form={"list_id": list_id}, files=[("file", ("x.txt", b"a@example.com"))])
        (uploaded,) = sandbox.calls[-1].files
        assert (uploaded.name, uploaded.filename, uploaded.content) == ("file", "x.txt", b"a@example.com")

    async def test_stray_semicolon(self, fetch: Fetch, list_id: str) -> None:
        files = [("file", ("a.csv", b"a@example.com"))]
        first = await fetch("ml-addr-add-file", list_id=list_id, files=files)
        second = await fetch("ml-addr-add-file-query", id=1)
        assert first.text.count("</data>;") == second.text.count("</data>;") == 1


class TestSubscriptions:
    async def test_one(self, ask: Ask, fetch: Fetch, list_id: str) -> None:
        await ask("ml-sub", list_id=list_id, address="Anna@example.com", name="安娜")
        await ask("ml-sub", list_id=list_id, address="bob@example.com")
        assert (
            await fetch("subscription-export", id=list_id)
        ).text == "anna@example.com\t安娜\r\nbob@example.com\tbob\r\n"

    @pytest.mark.parametrize(
        "text",
        [
            "a@example.com,甲;b@example.com,乙;",
            "a@example.com\t甲\r\nb@example.com，乙\n",
            "a@example.com，甲；b@example.com，乙；",
        ],
    )
    async def test_several_in_both_formats(self, ask: Ask, fetch: Fetch, list_id: str, text: str) -> None:
        assert (await ask("ml-sub", list_id=list_id, form={"maillist": text}))["status"] == "success"
        assert (await fetch("subscription-export", id=list_id)).text == "a@example.com\t甲\r\nb@example.com\t乙\r\n"

    @pytest.mark.parametrize("text", ["a@example.com,B@example.com", "a@example.com\nb@example.com\n"])
    async def test_leaving_is_remembered(self, ask: Ask, fetch: Fetch, list_id: str, text: str) -> None:
        await ask("ml-sub", list_id=list_id, form={"maillist": "a@example.com,A;b@example.com,B;c@example.com,C"})
        assert (await ask("ml-unsub", list_id=list_id, form={"address": text}))["status"] == "success"
        assert (await fetch("subscription-export", id=list_id)).text == "c@example.com\tC\r\n"
        left = "2026-11-22 13:04:05\ta@example.com\r\n2026-11-22 13:04:05\tb@example.com\r\n"
        assert (await fetch("unsubscribe-export", id=list_id)).text == left
        await ask("ml-sub", list_id=list_id, address="a@example.com")
        assert "a@example.com" not in (await fetch("unsubscribe-export", id=list_id)).text

    async def test_refusals(self, ask: Ask, list_id: str) -> None:
        assert (await ask("ml-sub", list_id=list_id, address="bad"))["status"] == "address_error"
        assert (await ask("ml-sub", list_id=list_id))["status"] == "param_error"
        assert (await ask("ml-sub", list_id=1, address="a@example.com"))["status"] == "not_exist"
        assert (await ask("ml-unsub", list_id=list_id, address="a@example.com"))["status"] == "not_exist"
        assert (await ask("ml-unsub", list_id=list_id))["status"] == "param_error"
        assert (await ask("unsubscribe-export", id=1))["status"] == "not_exist"

    async def test_empty_exports_are_empty(self, fetch: Fetch, list_id: str) -> None:
        for operation in ("subscription-export", "unsubscribe-export"):
            response = await fetch(operation, id=list_id)
            assert (response.status_code, response.content) == (200, b"")
