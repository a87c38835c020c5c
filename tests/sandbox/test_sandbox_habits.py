"""The habits of PHP services that the sandbox can take on."""

import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from app.sandbox import Fault, Sandbox
from app.sandbox.dialect import SandboxReply, document, group, leaf, plain_text, result
from app.sandbox.habits import ACKNOWLEDGEMENTS, HABITS, REPAIRABLE, UNTRUSTWORTHY

Fetch = Callable[..., Awaitable[httpx2.Response]]
Ask = Callable[..., Awaitable[dict[str, Any]]]

RECORD = [
    leaf("id", 7),
    leaf("name", "Zoë & 张三 🎉"),
    "<note><![CDATA[a & b]]></note>",
    leaf("qty_available", 99000),
    leaf("opened", "0000-00-00 00:00:00"),
    leaf("clicked", "2026-03-02 09:30:00"),
]
ANSWER = document(group("data", [leaf("total_num", 1), group("addr", RECORD)]))
LINES = plain_text(["2026-03-02 09:30:00\tanna@example.com", "2026-03-02 09:31:00\tzoë@example.com"])
RESULT = result("success", 418801)


def test_every_habit_changes_the_replies_it_is_about() -> None:
    assert {name for name in (*REPAIRABLE, *UNTRUSTWORTHY) if HABITS[name](ANSWER) == ANSWER} == set()
    assert {name for name in ACKNOWLEDGEMENTS if HABITS[name](RESULT) == RESULT} == set()


def test_text_exports_take_on_the_habits_of_errors_and_encodings_alone() -> None:
    changed = {name for name in HABITS if HABITS[name](LINES) != LINES}
    assert {"php_fatal", "error_prose", "json_error_behind", "latin1_header", "gzip_padding"} <= changed
    assert not changed & {"stray_tail", "php_notice", "surrogates", "unknown_fields", *ACKNOWLEDGEMENTS}


def test_results_of_writes_are_not_taken_for_answers() -> None:
    assert {name for name in UNTRUSTWORTHY if HABITS[name](RESULT) != RESULT} <= {"another", "unknown_fields"}


def test_what_is_not_well_formed_stays() -> None:
    broken = SandboxReply(b"<data><addr></data>")
    assert HABITS["capital_children"](broken) == broken


@pytest.mark.parametrize(
    ("habit", "there"),
    [
        ("surrogates", "&#xd83c;&#xdf89;"),
        ("html_entities", "Zo&euml; &amp; 张三"),
        ("units", ">99000 封<"),
        ("thousands", ">99,000<"),
        ("floats", ">99000.0<"),
        ("php_zero_time", ">1970-01-01 08:00:00<"),
        ("slashed_days", ">2026/03/02 09:30:00<"),
        ("fractions", ">2026-03-02 09:30:00.0<"),
        ("lower_cdata", "<note><![cdata[a & b]]></note>"),
        ("bare_ampersand", ">Zoë & 张三 🎉<"),
        ("php_warning", "<b>Warning</b>"),
        ("unknown_wrapper", "<data><response>"),
        ("count_without_rows", "<data><total_num>12</total_num>"),
        ("another", "<id>97</id>"),
    ],
)
def test_habits_write_what_such_services_write(habit: str, there: str) -> None:
    assert there in HABITS[habit](ANSWER).body.decode()


def test_results_are_spelled_in_other_ways() -> None:
    written = {name: HABITS[name](RESULT).body.decode() for name in ACKNOWLEDGEMENTS}
    assert "<status>Success</status>" in written["capital_status"]
    assert '<data>"418801"</data>' in written["quoted_id"]
    assert "<data>418,801。</data>" in written["separated_id"]
    assert "<data><address_id>418801</address_id></data>" in written["nested_id"]


async def test_a_fault_takes_a_habit_on_over_the_wire(sandbox: Sandbox, fetch_demo: Fetch) -> None:
    whole = (await fetch_demo("customer-info")).text
    sandbox.misbehave(Fault("declared_cp936"))
    response = await fetch_demo("customer-info")
    assert response.content.decode("gbk") == whole.replace('"UTF-8"?>\r', '"cp936"?>')
    sandbox.misbehave(Fault("raw_deflate"))
    assert (await fetch_demo("customer-info")).text == whole


def test_padding_stands_behind_the_whole_of_a_gzip_reply() -> None:
    padded = HABITS["gzip_padding"](LINES)
    assert padded.headers == {"Content-Encoding": "gzip"}
    assert gzip.decompress(padded.body) == LINES.body
    assert padded.body.endswith(bytes(64))
