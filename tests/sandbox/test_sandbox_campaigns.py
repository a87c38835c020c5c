"""Chapters 2.1, 5.1 and 6: campaigns and their progress with the clock."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]
Later = Callable[..., None]


@pytest.fixture
async def basics(ask: Ask) -> dict[str, str]:
    """What an ``add-task`` call needs, with a list of ten addresses."""
    added = await ask("maillist-add", form={"subject": "客户", "status": "enabled"})
    lines = "\n".join(f"reader{number}+delivered@example.com" for number in range(1, 11))
    await ask("ml-addr-add", list_id=added["data"], form={"ml_addr": lines})
    template = await ask("add-tpl", form={"name": "T", "subject": "S", "content": '<a href="https://a.example/">x</a>'})
    return {
        "tpl_id": template["data"],
        "send_domain": "acme.example",
        "send_account": "news@acme.example",
        "send_fullname": "新闻",
        "maillist_id": added["data"],
        "time": "2026-11-22 13:10",
        "status": "1",
        "track_status": "2",
    }


async def _add(ask: Ask, basics: dict[str, str], **changes: str) -> str:
    reply = await ask("add-task", form=basics | changes)
    assert reply["status"] == "success", reply
    return str(reply["id"])


async def _task(ask: Ask, send_id: str) -> dict[str, Any]:
    (task,) = (await ask("task-list", id=send_id))["task"]
    assert isinstance(task, dict)
    return task


async def test_no_campaigns_is_an_empty_root(fetch: Fetch) -> None:
    assert "<task_list></task_list>" in (await fetch("task-list")).text
    assert "<task_list>\r\n</task_list>" in (await fetch("list-task", id=1)).text


async def test_reply_names_the_send_id(ask: Ask, basics: dict[str, str], sandbox: Sandbox) -> None:
    reply = await ask("add-task", **basics)
    campaign = sandbox.state("acme").campaigns[int(reply["id"])]
    assert (reply["data"], reply["id"]) == ("添加群发任务成功！", str(campaign.id))
    assert len({campaign.id, campaign.task_id, campaign.track_id}) == 3


async def test_everything_in_task_list(ask: Ask, basics: dict[str, str]) -> None:
    send_id = await _add(ask, basics, send_replyto="r@acme.example", send_qty="8", send_qty_start="3")
    task = await _task(ask, send_id)
    assert task == {
        "id": send_id,
        "sn": task["sn"],
        "acct_type": "address",
        "acct_domain": None,
        "acct_address": "news@acme.example",
        "sender": "news@acme.example",
        "replyto": "r@acme.example",
        "sender_name": "新闻",
        "templates": {"template": [{"tpl_id": basics["tpl_id"], "tpl_name": "T"}]},
        "addr_type": "0",
        "listes": {"item": [{"list_id": basics["maillist_id"], "list_name": "客户"}]},
        "send_qty": "8",
        "send_qty_remak": "6",
        "send_time": "2026-11-22 13:10:00",
        "time_start": "0000-00-00 00:00:00",
        "time_end": "0000-00-00 00:00:00",
        "send_count": "0",
        "error_count": "0",
        "send_status": "1",
        "track_status": "2",
    }
    assert task["sn"].startswith("20261122130405-")


async def test_everything_in_list_task(ask: Ask, basics: dict[str, str]) -> None:
    send_id = await _add(ask, basics)
    long = await _task(ask, send_id)
    (task,) = (await ask("list-task", id=send_id))["task"]
    assert (task["send_satus"], task["send_qty_remark"], task["sn"]) == ("1", "10", long["sn"])
    assert (task["tpl_id"], task["tpl_name"], task["list_id"]) == (basics["tpl_id"], "T", basics["maillist_id"])
    assert (await ask("list-task", ident=long["sn"]))["task"] == [task]
    assert (await ask("list-task", date="2026-11-22"))["task"] == [task]
    assert await ask("list-task", date="2026-11-22", state=3) == {}
    assert await ask("list-task", date="2026-11-23") == {}
    assert (await ask("list-task"))["status"] == "param_error"
    assert (await ask("list-task", date="2026-11-2"))["status"] == "param_error"


async def test_sending_progresses_with_the_clock(ask: Ask, basics: dict[str, str], later: Later) -> None:
    send_id = await _add(ask, basics)
    later(minutes=5, seconds=54)
    assert (await _task(ask, send_id))["send_status"] == "1"
    later(seconds=1 + 15)
    sending = await _task(ask, send_id)
    assert (sending["send_status"], sending["send_count"]) == ("2", "5")
    assert (sending["time_start"], sending["time_end"]) == ("2026-11-22 13:10:00", "0000-00-00 00:00:00")
    assert (await ask("del-task", id=send_id))["status"] == "task_status_error"
    assert (await ask("maillist-del", id=basics["maillist_id"]))["status"] == "delete_maillist_error"
    later(seconds=15)
    sent = await _task(ask, send_id)
    assert (sent["send_status"], sent["send_count"], sent["time_end"]) == ("3", "10", "2026-11-22 13:10:30")


async def test_at_once_starts_at_once(ask: Ask, basics: dict[str, str]) -> None:
    task = await _task(ask, await _add(ask, basics, status="2", time="2026-11-22 13:04:05"))
    assert (task["send_status"], task["time_start"]) == ("2", "2026-11-22 13:04:05")


async def test_a_time_in_the_past_is_refused_unless_the_campaign_is_held(ask: Ask, basics: dict[str, str]) -> None:
    for status in ("1", "2"):
        reply = await ask("add-task", form={**basics, "status": status, "time": "2026-11-22 13:03:59"})
        assert reply["status"] == "time_error"
    task = await _task(ask, await _add(ask, basics, status="-1", time="2012-7-4"))
    assert task["send_time"] == "2012-07-04 00:00:00"


async def test_a_time_that_has_only_just_passed_starts_now(ask: Ask, basics: dict[str, str]) -> None:
    task = await _task(ask, await _add(ask, basics, status="1", time="2026-11-22 13:04:01"))
    assert (task["send_status"], task["time_start"]) == ("2", "2026-11-22 13:04:05")


async def test_held_waits_for_its_release(ask: Ask, basics: dict[str, str], later: Later) -> None:
    send_id = await _add(ask, basics, status="-1")
    later(hours=1)
    assert (await _task(ask, send_id))["send_status"] == "-1"
    # The names of add-task mean nothing here.
    await ask("edit-task", id=send_id, status="1", time="2026-11-23")
    assert (await _task(ask, send_id))["send_status"] == "-1"
    reply = await ask("edit-task", id=send_id, send_status="1", send_time="2026-11-22 15:00:00")
    assert reply["status"] == "success"
    assert (await _task(ask, send_id))["send_status"] == "1"
    later(hours=1)
    assert (await _task(ask, send_id))["time_start"] == "2026-11-22 15:00:00"


async def test_empty_list_is_sent_at_once(ask: Ask, basics: dict[str, str]) -> None:
    await ask("ml-addr-empty", list_id=basics["maillist_id"])
    task = await _task(ask, await _add(ask, basics, status="2"))
    assert (task["send_status"], task["send_count"], task["send_qty_remak"]) == ("3", "0", "0")


async def test_recipients_are_frozen_at_the_start(ask: Ask, basics: dict[str, str], later: Later) -> None:
    send_id = await _add(ask, basics, status="2")
    await ask("ml-addr-empty", list_id=basics["maillist_id"])
    later(minutes=1)
    assert (await _task(ask, send_id))["send_count"] == "10"


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ({"send_domain": "all", "send_account": "all"}, ("all", None, None, "all")),
        ({"send_domain": "a.example", "send_account": "all"}, ("domain", "a.example", None, "a.example")),
        ({"send_domain": "", "send_account": "x@a.example"}, ("address", None, "x@a.example", "x@a.example")),
    ],
)
async def test_senders(ask: Ask, basics: dict[str, str], sender: dict[str, str], kind: tuple[str | None, ...]) -> None:
    task = await _task(ask, await _add(ask, basics, **sender))
    assert (task["acct_type"], task["acct_domain"], task["acct_address"], task["sender"]) == kind


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"time": ""}, "param_error"),
        ({"tpl_id": ""}, "param_error"),
        ({"send_fullname": ""}, "param_error"),
        ({"time": "tomorrow"}, "time_error"),
        ({"send_qty_start": "0"}, "qty_error"),
        ({"send_qty_start": "5", "send_qty": "4"}, "qty_error"),
        ({"send_qty": "-1"}, "qty_error"),
        ({"tpl_id": "1"}, "not_exist"),
        ({"maillist_id": "1"}, "not_exist"),
        ({"status": "7"}, "param_error"),
        ({"track_status": "3"}, "param_error"),
        ({"subs_link": "2"}, "param_error"),
        ({"send_account": "all", "send_domain": ""}, "param_error"),
        ({"send_replyto": "nobody"}, "address_error"),
    ],
)
async def test_refusals_change_nothing(ask: Ask, basics: dict[str, str], changes: dict[str, str], status: str) -> None:
    assert (await ask("add-task", form=basics | changes))["status"] == status
    assert await ask("task-list") == {}


async def test_refused_edit_changes_nothing(ask: Ask, basics: dict[str, str]) -> None:
    send_id = await _add(ask, basics)
    before = await _task(ask, send_id)
    assert (await ask("edit-task", id=send_id, send_fullname="x", send_qty_start="0"))["status"] == "qty_error"
    assert await _task(ask, send_id) == before


async def test_rejected_template_cannot_be_sent(ask: Ask, basics: dict[str, str], later: Later) -> None:
    template = await ask("add-tpl", form={"name": "T", "subject": "S", "content": "代开发票"})
    later(minutes=1)
    assert (await ask("add-task", form=basics | {"tpl_id": template["data"]}))["status"] == "template_not_pass"


async def test_no_quota_left(ask: Ask, basics: dict[str, str], sandbox: Sandbox) -> None:
    state = sandbox.state("acme")
    state.profile = type(state.profile)(bought=0)
    assert (await ask("add-task", form=basics))["status"] == "qty_not_enough"


async def test_a_hundred_calls_an_hour(ask: Ask, basics: dict[str, str], sandbox: Sandbox, later: Later) -> None:
    basics = {**basics, "time": "2026-12-01"}
    now = sandbox.state("acme")
    await _add(ask, basics)
    now.campaign_calls = now.campaign_calls * 99
    await _add(ask, basics)
    assert (await ask("add-task", form=basics))["status"] == "call_limit"
    later(minutes=59)
    assert (await ask("add-task", form=basics))["status"] == "call_limit"
    later(minutes=1)
    await _add(ask, basics)


async def test_begun_campaigns_cannot_be_edited(ask: Ask, basics: dict[str, str], later: Later) -> None:
    send_id = await _add(ask, basics, status="2")
    assert (await ask("edit-task", id=send_id, send_fullname="x"))["status"] == "task_status_error"
    later(minutes=1)
    assert (await ask("edit-task", id=send_id, send_fullname="x"))["status"] == "task_status_error"
    assert (await ask("edit-task", id=1))["status"] == "not_exist"


async def test_delete_keeps_the_statistics(ask: Ask, basics: dict[str, str], later: Later) -> None:
    send_id = await _add(ask, basics, status="2")
    later(minutes=1)
    assert (await ask("del-task", id=send_id))["status"] == "success"
    assert await ask("task-list") == {}
    assert (await ask("del-task", id=send_id))["status"] == "not_exist"
    assert (await ask("statistic", date="2026-11-22"))["actual_send"] == "10"


async def test_deleted_template_and_list_leave_empty_elements(ask: Ask, basics: dict[str, str]) -> None:
    send_id = await _add(ask, basics)
    await ask("del-tpl", tpl_id=basics["tpl_id"])
    await ask("maillist-del", id=basics["maillist_id"])
    task = await _task(ask, send_id)
    assert (task["templates"], task["listes"]) == (None, None)
    (short,) = (await ask("list-task", id=send_id))["task"]
    assert (short["tpl_id"], short["list_id"]) == (None, None)


async def test_several_templates_and_lists(ask: Ask, basics: dict[str, str]) -> None:
    other = await ask("maillist-add", form={"subject": "2", "status": "enabled"})
    lines = "reader1+delivered@example.com\nnew@example.com"
    await ask("ml-addr-add", list_id=other["data"], form={"ml_addr": lines})
    second = await ask("add-tpl", form={"name": "T2", "subject": "S", "content": "x"})
    lists, templates = f"{basics['maillist_id']},{other['data']}", f"{basics['tpl_id']},{second['data']}"
    task = await _task(ask, await _add(ask, basics, maillist_id=lists, tpl_id=templates))
    assert len(task["templates"]["template"]) == len(task["listes"]["item"]) == 2
    assert task["send_qty_remak"] == "11"


async def test_filters_and_pages(ask_demo: Ask) -> None:
    everything = (await ask_demo("task-list"))["task"]
    assert [task["send_status"] for task in everything] == ["-1", "-3", "3", "3", "3"]
    assert len((await ask_demo("task-list", send_status=3))["task"]) == 3
    assert len((await ask_demo("task-list", send_status="all"))["task"]) == 5
    assert await ask_demo("task-list", send_status=-2) == {}
    day = everything[2]["time_start"][:10]
    assert (await ask_demo("task-list", date=day))["task"] == [everything[2]]
    assert (await ask_demo("task-list", limit=2))["task"] == everything[:2]
    assert (await ask_demo("task-list", limit=2, page=3))["task"] == everything[4:]
    assert await ask_demo("task-list", page=2) == {}


async def test_padded_and_cdata_values(fetch_demo: Fetch) -> None:
    text = (await fetch_demo("task-list", page=1, limit=1)).text
    assert "<track_status>\r\n   2\r\n </track_status>" in text
    assert "<sender_name><![CDATA[小王 Newsletter]]></sender_name>" in text


async def test_a_paused_campaign_is_edited_and_resumed(ask: Ask, basics: dict[str, str], sandbox: Sandbox) -> None:
    send_id = await _add(ask, basics, send_replyto="re@example.com")
    sandbox.state("acme").campaigns[int(send_id)].status = -2
    reply = await ask("edit-task", id=send_id, send_status="1", send_replyto="")
    task = await _task(ask, send_id)
    assert (reply["status"], task["send_status"], task["replyto"]) == ("success", "1", None)
