"""Chapter 5: templates."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]
Later = Callable[..., None]
FORM = {"name": "促销", "subject": "主题一|Subject & two", "content": "<p>Hi ]]> there</p>"}


@pytest.fixture
async def tpl_id(ask: Ask) -> str:
    return str((await ask("add-tpl", form=FORM))["data"])


async def _template(ask: Ask, tpl_id: str) -> dict[str, Any]:
    (template,) = (await ask("list-tpl", tpl_id=tpl_id))["template"]
    assert isinstance(template, dict)
    return template


async def test_no_templates_is_an_empty_root(ask: Ask) -> None:
    assert await ask("list-tpl") == {}
    assert await ask("list-tpl", tpl_id=3) == {}


async def test_added_template(ask: Ask, tpl_id: str, sandbox: Sandbox) -> None:
    template = await _template(ask, tpl_id)
    assert (template["name"], template["content"], template["content_type"]) == ("促销", FORM["content"], "html")
    assert [subject["name"] for subject in template["subject"]] == ["主题一", "Subject & two"]
    assert template["attachments"] is None
    assert template["created"] == template["updated"] == "2026-11-22 13:04:05"
    assert template["user_id"] == str(sandbox.state("acme").customer_id)


async def test_attachments_keep_their_bytes(ask: Ask, sandbox: Sandbox) -> None:
    files = [("file[]", ("一.jpg", b"\xff\xd8")), ("file[]", ("b.pdf", b"%PDF"))]
    tpl_id = (await ask("add-tpl", form=FORM, files=files))["data"]
    assert (await ask("tpl-attachment-add", tpl_id=tpl_id, files=[("file", ("c", b"c"))]))["status"] == "success"
    shown = (await _template(ask, tpl_id))["attachments"]["attachment"]
    assert [entry["atta_name"] for entry in shown] == ["一.jpg", "b.pdf", "c"]
    kept = sandbox.state("acme").templates[int(tpl_id)].attachments
    assert [attachment.content for attachment in kept.values()] == [b"\xff\xd8", b"%PDF", b"c"]
    await ask("tpl-attachment-del", tpl_id=tpl_id, attachment_id=shown[1]["atta_id"])
    assert [attachment.name for attachment in kept.values()] == ["一.jpg", "c"]
    reply = await ask("tpl-attachment-del", tpl_id=tpl_id, attachment_id=shown[1]["atta_id"])
    assert reply["status"] == "not_exist"
    await ask("tpl-attachment-del", tpl_id=tpl_id)
    assert (await _template(ask, tpl_id))["attachments"] is None


@pytest.mark.parametrize(
    ("content", "verdict"),
    [("好", ("1", "green")), ("免费", ("1", "yellow")), ("red_pass", ("1", "red_pass")), ("代开发票", ("0", "red"))],
)
async def test_review(ask: Ask, later: Later, content: str, verdict: tuple[str, str]) -> None:
    tpl_id = (await ask("add-tpl", form=FORM | {"content": content}))["data"]
    checking = await ask("get-tpl-status", tpl_id=tpl_id)
    assert (checking["status"], checking["colour"]) == ("-1", None)
    assert (checking["size_status"], checking["size"]) == ("-1", "0")
    later(seconds=20)
    done = await ask("get-tpl-status", tpl_id=tpl_id)
    assert (done["status"], done["colour"]) == verdict
    assert (done["size_status"], done["size"], done["name"]) == ("1", "1", "促销")
    assert (done["id"], done["update_date"]) == (tpl_id, "2026-11-22 13:04:05")
    await ask("edit-tpl", tpl_id=tpl_id, name="neu")
    assert (await ask("get-tpl-status", tpl_id=tpl_id))["status"] == "-1"


async def test_subject_of_a_review_has_a_trailing_blank(fetch: Fetch, tpl_id: str) -> None:
    assert "<subject>主题一|Subject &amp; two </subject>" in (await fetch("get-tpl-status", tpl_id=tpl_id)).text


async def test_edit_changes_only_what_is_given(ask: Ask, tpl_id: str, later: Later) -> None:
    later(minutes=1)
    assert (await ask("edit-tpl", form={"tpl_id": tpl_id, "subject": "新"}))["status"] == "success"
    template = await _template(ask, tpl_id)
    assert [subject["name"] for subject in template["subject"]] == ["新"]
    assert (template["name"], template["content"]) == ("促销", FORM["content"])
    assert template["updated"] == "2026-11-22 13:05:05"


async def test_delete(ask: Ask, tpl_id: str) -> None:
    assert (await ask("del-tpl", tpl_id=tpl_id))["status"] == "success"
    assert await ask("list-tpl") == {}
    assert (await ask("del-tpl", tpl_id=tpl_id))["status"] == "not_exist"


async def test_refusals(ask: Ask, tpl_id: str) -> None:
    for missing in FORM:
        form = {name: value for name, value in FORM.items() if name != missing}
        assert (await ask("add-tpl", form=form))["status"] == "param_error"
    assert (await ask("add-tpl", form=FORM | {"encoding": "7bit"}))["status"] == "param_error"
    assert (await ask("edit-tpl", tpl_id=tpl_id))["status"] == "param_error"
    assert (await ask("edit-tpl", name="x"))["status"] == "param_error"
    assert (await ask("tpl-attachment-add", tpl_id=tpl_id, form={}))["status"] == "file_error"
    for operation in ("get-tpl-status", "del-tpl", "tpl-attachment-del", "tpl-attachment-add"):
        assert (await ask(operation, tpl_id=1))["status"] == "not_exist"
