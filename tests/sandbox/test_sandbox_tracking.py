"""Chapters 2 and 3: numbers that agree with each other and grow with the clock."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Sandbox
from app.sandbox.delivery import UNDOCUMENTED
from app.sandbox.models import Campaign

Ask = Callable[..., Awaitable[dict[str, Any]]]
Fetch = Callable[..., Awaitable[httpx2.Response]]
Later = Callable[..., None]
ZERO = "0000-00-00 00:00:00"


@pytest.fixture
def campaign(sandbox: Sandbox) -> Campaign:
    """A finished campaign with opens and clicks."""
    return next(iter(sandbox.state("demo").campaigns.values()))


async def _send(ask: Ask, *addresses: str, track_status: int = 2, at: str = "2026-11-22 13:04:05") -> str:
    """Send to addresses right away, with two links."""
    added = await ask("maillist-add", form={"subject": "s", "status": "enabled"})
    await ask("ml-addr-add", list_id=added["data"], form={"ml_addr": "\n".join(addresses)})
    body = '<a href="https://a.example/?x=1&amp;y=2">a</a> <a href="https://b.example/">b</a>'
    template = await ask("add-tpl", form={"name": "n", "subject": "s", "content": body})
    form = {"send_account": "all", "send_domain": "all", "send_fullname": "n", "time": at, "status": "2"}
    ids = {"tpl_id": template["data"], "maillist_id": added["data"], "track_status": str(track_status)}
    return str((await ask("add-task", form=form | ids))["id"])


class TestAgreement:
    """Chapters 1 to 3 count the same things, but for the failures of the undocumented type."""

    async def test_overview_and_statistics(self, ask_demo: Ask, campaign: Campaign) -> None:
        track = await ask_demo("overview", id=campaign.id)
        (task,) = (await ask_demo("stask", id=campaign.id))["task"]
        assert track["task_id"] == task["task_id"] == str(campaign.task_id)
        assert track["task_sn"] == task["task_ident"] == campaign.ident
        assert track["send_id"] == str(campaign.id)
        sent, delivered, failed = (int(track[name]) for name in ("send_count", "real_send_count", "error_send_count"))
        assert delivered + failed == sent > delivered > 0
        unknown = sum(delivery.outcome == UNDOCUMENTED for delivery in campaign.deliveries)
        assert unknown > 0
        assert (int(task["total"]), int(task["failed"])) == (sent - unknown, failed - unknown)
        assert task["success"] == str(delivered)
        assert int(task["totalsum"]) == sent + int(task["invalid"]) == len(campaign.deliveries)
        assert track["open_ratio"] == f"{100 * int(track['open_unique']) / delivered:.2f}%"
        named = sum(int(task[name]) for name in ("email_not_exist", "over_quota", "user_reject", "rubbish"))
        assert 0 < named <= failed

    async def test_overview_and_opens(self, ask_demo: Ask, campaign: Campaign) -> None:
        track = await ask_demo("overview", ident=campaign.ident)
        users = (await ask_demo("open-detail", id=campaign.id))["user"]
        assert len(users) == len({user["email_id"] for user in users}) == int(track["open_unique"])
        assert sum(int(user["open_total"]) for user in users) == int(track["open_total"]) > len(users)
        assert sum(int(user["click_total"]) for user in users) == int(track["click_total"])
        assert min(user["open_first"] for user in users) == track["open_first"]
        assert max(user["open_last"] for user in users) == track["open_last"]

    async def test_overview_clicks_and_links(self, ask_demo: Ask, campaign: Campaign) -> None:
        track = await ask_demo("overview", id=campaign.id)
        clicks = (await ask_demo("click-detail", id=campaign.id))["click"]
        links = (await ask_demo("link-stat", id=campaign.id))["link"]
        assert track["link_statistic"]["link"] == links
        assert len({click["email"] for click in clicks}) == int(track["click_unique"])
        assert int(track["click_total"]) == sum(int(click["click_total"]) for click in clicks)
        assert int(track["click_total"]) == sum(int(link["click_total"]) for link in links)
        assert Counter(click["link"] for click in clicks) == {link["link"]: int(link["click_unique"]) for link in links}
        assert {click["click_unique"] for click in clicks} == {"1"}
        assert [link["link"] for link in links] == [
            "https://shop.example/sale?utm=mail&id=1",
            "https://shop.example/coupon",
        ]

    async def test_one_link(self, ask_demo: Ask, campaign: Campaign) -> None:
        link_id = list(campaign.links)[1]
        (link,) = (await ask_demo("link-stat", ident=campaign.ident, link_id=link_id))["link"]
        clicks = (await ask_demo("click-detail", id=campaign.id, link_id=link_id))["click"]
        assert len(clicks) == int(link["click_unique"])
        assert {click["link"] for click in clicks} == {campaign.links[link_id]}
        assert await ask_demo("link-stat", id=campaign.id, link_id=1) == {}

    async def test_statistics_and_failed_addresses(self, ask_demo: Ask, campaign: Campaign) -> None:
        (task,) = (await ask_demo("stask", ident=campaign.ident))["task"]
        everything = await ask_demo("failexportall", task_id=campaign.task_id, type="all", out_type="xml")
        types = Counter(recipient["type"] for recipient in everything["recipient"])
        assert types["1"] == int(task["email_not_exist"])
        assert types["2"] == int(task["over_quota"])
        assert types["3"] == int(task["user_reject"])
        assert types["5"] == int(task["rubbish"])
        assert types["8"] + types["9"] == int(task["invalid"])
        assert sum(types[kind] for kind in "1235") == int(task["failed"])
        assert types["4"] > 0
        assert {recipient["task_id"] for recipient in everything["recipient"]} == {str(campaign.task_id)}

    async def test_day_and_campaigns(self, ask_demo: Ask, campaign: Campaign) -> None:
        assert campaign.started is not None
        day = (await ask_demo("stask", id=campaign.id))["task"][0]["task_date"]
        tasks = (await ask_demo("stask", date=day))["task"]
        numbers = await ask_demo("statistic", date=day)
        (cost,) = (await ask_demo("deduction", date=day))["list"]
        assert numbers["date"] == cost["date"] == day
        assert int(numbers["ws_qty"]) == len(tasks) == 1
        assert numbers["actual_send"] == numbers["ws_count"] == cost["send_num"]
        # Failures of the undocumented type are in the day's numbers and in none of a campaign's.
        assert int(numbers["actual_send"]) - int(tasks[0]["total"]) == 1
        assert numbers["send_count"] == numbers["deduc_count"] == tasks[0]["totalsum"]
        assert numbers["send_error"] == numbers["ws_error"]
        assert int(numbers["send_error"]) - int(tasks[0]["failed"]) == 1
        assert numbers["actual_deduc"] == cost["total"] == tasks[0]["actual"] == tasks[0]["success"]
        assert int(numbers["invalid_addr"]) + int(numbers["format_error"]) == int(tasks[0]["invalid"])
        assert cost["company"] == "demo 贸易有限公司"

    async def test_day_without_campaigns(self, ask: Ask) -> None:
        assert set((await ask("statistic", date="2020-01-01")).values()) == {"2020-01-01", "0"}
        assert await ask("deduction", date="2020-01-01") == {}
        assert await ask("stask", date="2020-01-01") == {}
        for operation in ("statistic", "deduction", "stask"):
            assert (await ask(operation))["status"] == "param_error"
            assert (await ask(operation, date="2020-1-1"))["status"] == "param_error"

    async def test_export_of_readers(self, ask_demo: Ask, fetch_demo: Fetch, campaign: Campaign) -> None:
        track_id = (await ask_demo("overview", id=campaign.id))["track_id"]
        users = (await ask_demo("open-detail", id=campaign.id))["user"]
        everybody = (await fetch_demo("trackexport", track_id=track_id)).text.split()
        assert everybody == [user["email"] for user in users]
        clicked = (await fetch_demo("trackexport", track_id=track_id, is_click=1)).text.split()
        assert clicked == [user["email"] for user in users if user["click_total"] != "0"]
        one = await fetch_demo("trackexport", track_id=track_id, email_id=users[3]["email_id"])
        assert one.text == f"{users[3]['email']}\r\n"
        link_id = next(iter(campaign.links))
        by_link = (await fetch_demo("trackexport", track_id=track_id, is_click=0, link_id=link_id)).text.split()
        clicks = (await ask_demo("click-detail", id=campaign.id, link_id=link_id))["click"]
        assert sorted(by_link) == sorted(click["email"] for click in clicks)


class TestIds:
    async def test_mixing_up_the_ids_gives_nothing(self, ask_demo: Ask, fetch_demo: Fetch, campaign: Campaign) -> None:
        for wrong in (campaign.task_id, campaign.track_id):
            for operation in ("overview", "open-detail", "click-detail", "link-stat", "stask"):
                assert await ask_demo(operation, id=wrong) == {}
            assert await ask_demo("task-list", id=wrong) == {}
        for wrong in (campaign.id, campaign.track_id):
            assert (await fetch_demo("failexportall", task_id=wrong, type="all")).text == ""
        for wrong in (campaign.id, campaign.task_id):
            assert (await fetch_demo("trackexport", track_id=wrong)).text == ""

    async def test_the_batch_number_wins_over_the_id(self, ask_demo: Ask, campaign: Campaign, sandbox: Sandbox) -> None:
        other = list(sandbox.state("demo").campaigns.values())[1]
        assert (await ask_demo("overview", id=other.id, ident=campaign.ident))["send_id"] == str(campaign.id)

    @pytest.mark.parametrize("operation", ["overview", "open-detail", "click-detail", "link-stat", "trackexport"])
    async def test_an_id_is_required(self, ask: Ask, operation: str) -> None:
        assert (await ask(operation))["status"] == "param_error"


class TestGrowth:
    async def test_opens_and_clicks_come_with_time(self, ask: Ask, later: Later) -> None:
        send_id = await _send(ask, *(f"reader{number}+delivered@example.com" for number in range(40)))
        seen = []
        for _ in range(6):
            track = await ask("overview", id=send_id)
            seen.append(tuple(int(track[name]) for name in ("send_count", "open_total", "click_total")))
            users = (await ask("open-detail", id=send_id)).get("user", [])
            clicks = (await ask("click-detail", id=send_id)).get("click", [])
            assert len(users) == int(track["open_unique"]) <= seen[-1][1]
            assert sum(int(click["click_total"]) for click in clicks) == seen[-1][2]
            later(hours=3)
        assert seen[0] == (0, 0, 0)
        assert seen == sorted(seen)
        assert {counts[0] for counts in seen[1:]} == {40}
        assert seen[1][1] < seen[3][1]
        assert seen[-1][2] > 0

    @pytest.mark.parametrize(("tracking", "opened", "clicked"), [(0, False, False), (1, True, False), (2, True, True)])
    async def test_tracking_decides_what_is_seen(
        self, ask: Ask, later: Later, tracking: int, opened: bool, clicked: bool
    ) -> None:
        addresses = (f"reader{number}+delivered@example.com" for number in range(40))
        send_id = await _send(ask, *addresses, track_status=tracking)
        later(days=3)
        track = await ask("overview", id=send_id)
        assert (track["open_total"] != "0", track["click_total"] != "0") == (opened, clicked)
        assert (track["open_first"] != ZERO, track["click_first"] != ZERO) == (opened, clicked)

    async def test_one_open_has_a_zero_last_time(self, ask_demo: Ask, campaign: Campaign) -> None:
        users = (await ask_demo("open-detail", id=campaign.id))["user"]
        once = [user for user in users if user["open_total"] == "1"]
        more = [user for user in users if user["open_total"] != "1"]
        assert once
        assert more
        for user in once:
            assert (user["open_last"], user["ip_last"], user["addr_last"]) == (ZERO, None, None)
            assert user["open_first"] != ZERO
        assert all(user["open_last"] > user["open_first"] and user["ip_last"] for user in more)
        clicks = (await ask_demo("click-detail", id=campaign.id))["click"]
        assert {click["click_last"] == ZERO for click in clicks} == {True, False}
        assert all((click["click_last"] == ZERO) == (click["click_total"] == "1") for click in clicks)

    async def test_readers_look_real(self, ask_demo: Ask, fetch_demo: Fetch, campaign: Campaign) -> None:
        users = (await ask_demo("open-detail", id=campaign.id))["user"]
        assert {user["device"] for user in users} == {"pc", "mobile"}
        assert "亚洲|中国|北京北京" in {user["addr_first"] for user in users}
        assert all(user["ip_first"].rpartition(".")[0] in {"192.0.2", "198.51.100", "203.0.113"} for user in users)
        assert "<os>Android </os>" in (await fetch_demo("open-detail", id=campaign.id)).text

    async def test_overview_has_no_declaration(self, fetch_demo: Fetch, campaign: Campaign) -> None:
        assert (await fetch_demo("overview", id=campaign.id)).text.startswith("<track>")


class TestFailures:
    TAGS: tuple[tuple[str, str], ...] = (
        ("not_exist", "1"),
        ("over_quota", "2"),
        ("user_reject", "3"),
        ("spam", "5"),
        ("invalid_addr", "8"),
        ("format_error", "9"),
    )

    @pytest.fixture
    async def track(self, ask: Ask, later: Later) -> dict[str, Any]:
        """A campaign with one failure of each kind and one message that arrived."""
        addresses = [f"x+{tag}@example.com" for tag, _ in self.TAGS] + ["x+delivered@example.com"]
        send_id = await _send(ask, *addresses)
        later(minutes=1)
        return await ask("overview", id=send_id)

    async def test_types_by_number_and_name(self, fetch: Fetch, track: dict[str, Any]) -> None:
        for tag, number in self.TAGS:
            for name in {number, tag} - {"spam"}:
                response = await fetch("failexport", date="2026-11-22", type=name, task_ident=track["task_sn"])
                assert response.text == f"x+{tag}@example.com\r\n"

    async def test_all_types_as_text(self, fetch: Fetch, track: dict[str, Any]) -> None:
        text = "".join(f"x+{tag}@example.com\r\n" for tag, _ in self.TAGS)
        for kind in ("all", "-1"):
            assert (await fetch("failexport", date="2026-11-22", type=kind)).text == text
            assert (await fetch("failexportall", task_id=track["task_id"], type=kind)).text == text

    async def test_json(self, fetch: Fetch, track: dict[str, Any]) -> None:
        short = await fetch("failexport", date="2026-11-22", type=8, out_type="json")
        assert json.loads(short.text) == ["x+invalid_addr@example.com"]
        long = await fetch("failexportall", date="2026-11-22", type=5, out_type="json")
        assert json.loads(long.text) == [{"email": "x+spam@example.com", "type": "5", "task_id": track["task_id"]}]
        assert long.headers["content-type"] == "text/html; charset=utf-8"

    async def test_xml_with_the_undocumented_elements(self, ask: Ask, track: dict[str, Any]) -> None:
        short = await ask("failexport", date="2026-11-22", type=9, out_type="xml")
        assert short["recipient"] == [
            {"email": "x+format_error@example.com", "error_type": "9", "error_type_dec": "格式错误"}
        ]
        long = await ask("failexportall", task_ident=track["task_sn"], type=1, out_type="xml")
        assert long["recipient"] == [{"email": "x+not_exist@example.com", "type": "1", "task_id": track["task_id"]}]

    async def test_file(self, fetch: Fetch, track: dict[str, Any]) -> None:
        response = await fetch("failexportall", task_id=track["task_id"], type=2, out_type="file")
        assert response.text == f"email,type,task_id\r\nx+over_quota@example.com,2,{track['task_id']}\r\n"
        assert "attachment" in response.headers["content-disposition"]

    @pytest.mark.usefixtures("track")
    async def test_range_of_days(self, fetch: Fetch) -> None:
        async def lines(**days: str) -> int:
            return len((await fetch("failexport", type="all", **days)).text.splitlines())

        assert await lines(date="2026-11-20") == 0
        assert await lines(date="2026-11-20", date_end="2026-11-21") == 0
        assert await lines(date="2026-11-20", date_end="2026-11-22") == len(self.TAGS)

    async def test_refusals(self, ask: Ask) -> None:
        assert (await ask("failexport", type="all"))["status"] == "param_error"
        assert (await ask("failexport", date="2026-11-22"))["status"] == "param_error"
        assert (await ask("failexport", date="2026-11-22", type=1))["status"] == "param_error"
        assert (await ask("failexport", date="2026-11-22", type=7))["status"] == "param_error"
        assert (await ask("failexport", date="2026-11-22", type=8, out_type="pdf"))["status"] == "param_error"
        assert (await ask("failexportall", type="all"))["status"] == "param_error"

    async def test_reasons_that_are_told_of_one_campaign_need_its_number(self, ask_demo: Ask) -> None:
        for operation in ("failexport", "failexportall"):
            for reason in (1, 2, 3):
                assert (await ask_demo(operation, date="2026-11-22", type=reason))["status"] == "param_error"

    async def test_the_undocumented_type_exists(self, ask_demo: Ask) -> None:
        period = {"date": "2026-01-01", "date_end": "2026-12-31"}
        everything = await ask_demo("failexportall", type="all", out_type="xml", **period)
        assert "4" in {recipient["type"] for recipient in everything["recipient"]}
