"""Keeping replies: all the project's own golden replies, and the oddest others."""

import gzip
import json
import re
import stat
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from app.doctor.diagnosis import PLAN
from app.doctor.findings import NotRecordable
from app.doctor.recording import RecordedReply, Recorder
from app.gateway.checks import BATCH, DAY, DOMAIN, EMAIL, NOTHING, AnyCheck
from tests.support.platform import FakePlatform, describe, xml_reply
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

GOLDEN = Path(__file__).parents[1] / "golden"
ZONE = ZoneInfo("Asia/Shanghai")
HTML = "text/html; charset=utf-8"
BY_NAME = {check.operation.name: check for check in PLAN}
CASES = [
    (check, case)
    for check in PLAN
    for case in sorted(GOLDEN.joinpath(*check.operation.name.split(".")).glob("*.json"))
    if check.path is not None and len(list(case.parent.glob(f"{case.stem}.reply*"))) == 1
]
STAY = {
    *(
        "success",
        "error",
        "not_exist",
        "enabled",
        "disabled",
        "local",
        "remote",
        "green",
        "yellow",
        "domain",
        "address",
    ),
    *("CDATA", "https", "example", "user1@example.com", "user2@example.com", "邮件地址", "100000"),
}
"""Words that the gateway knows, and what stand-ins are made of."""
MALFORMED = {
    # Stand-ins keep neither that two spellings are one address, nor a count.
    "contacts/by_email/many",
    "contacts/by_email/too_many",
    "failures/addresses/cut",
    "exports/contacts/html",
    "statistics/daily/maintenance",
    "tracking/opens/unclosed",
    "tracking/overview/misclosed",
}


def tapped(body: str | bytes, content_type: str = HTML, **fields: Any) -> RecordedReply:
    """Return a reply as the tap keeps it."""
    content = body.encode() if isinstance(body, str) else body
    return RecordedReply(
        **{"status": 200, "encoding": "", "complete": True, **fields}, content_type=content_type, chunks=[content]
    )


def recorder(folder: Path, *, records: int = 100, force: bool = False) -> Recorder:
    """Return a recorder with fresh stand-ins."""
    return Recorder(folder, ZONE, records=records, force=force)


def value_of(check: AnyCheck, path: str) -> Any:
    """Return what a request asks with; where it asks otherwise, anything of the right type."""
    template = re.escape(check.path or "").replace(r"\{\}", "([^/?&]+)")
    match = re.match(template, path) or re.match(template.partition(r"\?")[0], path)
    given = match[1] if match and match.re.groups else None
    if check.by is NOTHING:
        return None
    if check.by is DAY:
        return date.fromisoformat(given or "2026-03-02")
    if check.by is EMAIL:
        return given or "li.na@example.com"
    if check.by is DOMAIN:
        return given or "news.example.com"
    if check.by is BATCH:
        return given or "20260302093000-2369-46"
    return int(given or 5500001)


def kept(folder: Path, name: str) -> bytes:
    """Return the reply that was kept of an operation."""
    (path,) = folder.joinpath(*name.split(".")).glob("recorded.reply.*")
    return path.read_bytes()


def values_in(text: str) -> set[str]:
    """Return what may say something: addresses and words that are neither markup nor short."""
    content = re.sub(r"<!\[CDATA\[|\]\]>|<[^<>]*>", " ", text)
    return set(re.findall(r"[\w.+-]+@[\w.-]+|\b[a-zA-Z]{4,}\b|[\u4e00-\u9fff]{2,}|\b[1-9][0-9]{4,}\b", content))


class Gateway:
    """One application for all cases; each puts its own platform behind it."""

    def __init__(self) -> None:
        self.platform = FakePlatform([])
        self.app = make_app([make_tenant()], httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        return self.platform.answer(request)


_gateway = cache(Gateway)


@pytest.mark.parametrize(
    ("check", "case"), CASES, ids=lambda each: each.stem if isinstance(each, Path) else each.operation.name
)
async def test_golden_replies(check: AnyCheck, case: Path, tmp_path: Path) -> None:
    golden = json.loads(case.read_text())
    (reply,) = case.parent.glob(f"{case.stem}.reply*")
    options = golden.get("reply", {})
    given = tapped(reply.read_bytes(), options.get("content_type", HTML), status=options.get("status", 200))
    value = value_of(check, golden["input"]["path"])
    if str(case.relative_to(GOLDEN).with_suffix("")) in MALFORMED or given.status != 200:
        with pytest.raises(NotRecordable):
            recorder(tmp_path).record(check, value, given)
        assert not list(tmp_path.rglob("recorded*"))
        return
    described = recorder(tmp_path).record(check, value, given)
    recorded = json.loads(described.read_text())
    body = kept(tmp_path, check.operation.name)
    if not options:
        left = values_in(body.decode(errors="replace")) & values_in(given.body().decode(errors="replace"))
        assert left <= STAY, left
    gateway = _gateway()
    gateway.platform = FakePlatform([xml_reply(body, **recorded.get("reply", {}))])
    async with client_of(gateway.app) as client:
        response = await client.get(recorded["input"]["path"])
    assert [describe(request)["script"] for request in gateway.platform.requests] == [check.operation.script]
    assert response.status_code == golden["output"]["status"], response.text


LISTS, EXPORT, FAILURES = BY_NAME["lists.list"], BY_NAME["exports.contacts"], BY_NAME["failures.find"]
DECLARED = '<?xml version="1.0" encoding="{}"?>\r\n<maillist><item><id>78</id><subject>{}</subject></item></maillist>'


class TestForm:
    @pytest.mark.parametrize("encoding", ["gbk", "gb2312", "big5", "utf-8"])
    def test_encodings(self, tmp_path: Path, encoding: str) -> None:
        body = DECLARED.format(encoding, "王 Wang").encode(encoding)
        recorder(tmp_path).record(LISTS, None, tapped(body))
        expected = DECLARED.format(encoding, "文 Aaaa").replace("78", "10")
        assert kept(tmp_path, "lists.list") == expected.encode(encoding)

    def test_western(self, tmp_path: Path) -> None:
        body = DECLARED.format("iso-8859-1", "Zoë “x”").encode("cp1252")
        recorder(tmp_path).record(LISTS, None, tapped(body))
        assert DECLARED.format("iso-8859-1", "Aaà “a”").replace("78", "10").encode("cp1252") == kept(
            tmp_path, "lists.list"
        )

    def test_everything_that_is_loose(self, tmp_path: Path) -> None:
        body = (
            "\ufeff\r\n\n<!-- by li@shop.cn at 2026-03-02 -->\n<maillist owner = 'li@shop.cn' n='78'>\r\n"
            "<?php echo 'geheim' ?><item ><id>\r\n 78 </id ><subject>A & B &amp; <![CDATA[王<伟> & ]]>\x0b</subject>"
            "<description/><descrīption></descrīption>;<count>0</count><status> Enabled </status>"
            '<new_in_v20 unit="piece"><inner>geheim</inner></new_in_v20></item>;</maillist>\r\n'
        ).encode()
        recorder(tmp_path).record(LISTS, None, tapped(body))
        assert kept(tmp_path, "lists.list").decode() == (
            "\ufeff\r\n\n<!-- aa user1@example.com ab 2020-01-01 -->\n<maillist owner = 'user1@example.com' n='10'>\r\n"
            "<?php aaaa 'aaaaaa' ?><item ><id>\r\n 10 </id ><subject>A & B &amp; <![CDATA[文<字> & ]]>\x0b</subject>"
            "<description/><descrīption></descrīption>;<count>0</count><status> Enabled </status>"
            '<new_in_v20 unit="aaaaa"><inner>aaaaaa</inner></new_in_v20></item>;</maillist>\r\n'
        )

    def test_bytes_that_cannot_be_decoded(self, tmp_path: Path) -> None:
        body = DECLARED.format("utf-8", "王伟x").encode().replace("王伟".encode(), "王伟".encode("gbk"))
        recorder(tmp_path).record(LISTS, None, tapped(body))
        assert "<subject>文文a</subject>".encode("gbk") in kept(tmp_path, "lists.list")

    def test_the_type_is_kept_where_it_is_unusual(self, tmp_path: Path) -> None:
        described = recorder(tmp_path).record(
            EXPORT, 78, tapped("李娜@b.cn\t李".encode("gbk"), "text/plain; charset=gbk")
        )
        assert json.loads(described.read_text()) == {
            "input": {"method": "GET", "path": "/v1/lists/10/contacts/export"},
            "reply": {"content_type": "text/plain; charset=gbk"},
        }
        assert kept(tmp_path, "exports.contacts").decode("gbk") == "user1@example.com\t文"

    def test_compression_is_undone(self, tmp_path: Path) -> None:
        body = b"<maillist></maillist>"
        recorder(tmp_path).record(LISTS, None, tapped(gzip.compress(body), encoding="gzip"))
        assert kept(tmp_path, "lists.list") == body

    def test_a_value_that_does_not_fit_into_a_path(self, tmp_path: Path) -> None:
        described = recorder(tmp_path).record(BY_NAME["statistics.get"], "王/7?", tapped("<data></data>"))
        assert json.loads(described.read_text())["input"]["path"] == "/v1/batches/%E6%96%87%2F7%3F/statistics"


class TestBeginning:
    XML = "<fail_recipient_list>" + "<recipient><email>a@b.cn</email></recipient>\r\n" * 3

    def test_of_lines(self, tmp_path: Path) -> None:
        body = "邮件地址\t姓名\na@b.cn\t李\nc@d.cn\t王\ne@f"
        recorder(tmp_path, records=2).record(EXPORT, 78, tapped(body, complete=False))
        assert kept(tmp_path, "exports.contacts").decode() == "邮件地址\t文文\nuser1@example.com\t文\n"

    @pytest.mark.parametrize(
        ("records", "end", "complete", "whole"),
        [(2, "", False, 2), (9, "<recipient><em", False, 3), (2, "</fail_recipient_list>", True, 2)],
    )
    def test_of_xml(self, tmp_path: Path, records: int, end: str, complete: bool, whole: int) -> None:
        reply = tapped(self.XML + end, complete=complete)
        recorder(tmp_path, records=records).record(FAILURES, "x", reply)
        body = kept(tmp_path, "failures.find").decode()
        assert (body.count("</recipient>"), body.endswith("</fail_recipient_list>")) == (whole, True)

    def test_without_a_record(self, tmp_path: Path) -> None:
        recorder(tmp_path).record(EXPORT, 78, tapped("a@b", complete=False))
        assert kept(tmp_path, "exports.contacts") == b""

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("tracking.recipients", "<x><email>a@b.cn</email>"),
            ("failures.find", "a@b.cn\n"),
            ("exports.contacts", "a@b.cn\n".encode("utf-16")),
        ],
    )
    def test_where_a_record_ends_cannot_be_told(self, tmp_path: Path, name: str, body: str | bytes) -> None:
        with pytest.raises(NotRecordable, match="where a record ends"):
            recorder(tmp_path).record(BY_NAME[name], 1, tapped(body, complete=False))

    def test_what_is_whole_is_kept_whole(self, tmp_path: Path) -> None:
        recorder(tmp_path, records=1).record(
            BY_NAME["tracking.recipients"], 1, tapped("<x><email>a@b.cn</email><email>c@d.cn</email></x>")
        )
        assert kept(tmp_path, "tracking.recipients").count(b"<email>") == 2


class TestRefusal:
    @pytest.mark.parametrize(
        ("name", "reply", "reason"),
        [
            ("identifiers.resolve", tapped("<track></track>"), "several calls"),
            ("lists.list", None, "no reply with HTTP 200"),
            ("lists.list", tapped("x", status=503), "no reply with HTTP 200"),
            ("lists.list", tapped("x", encoding="gzip"), "compression is broken"),
            ("lists.list", tapped("<maillist><item>li@shop.cn"), "not well-formed"),
            ("lists.list", tapped("\ufeff<maillist></maillist>".encode("utf-16-be")), "utf-16 cannot be written"),
            # A byte that UTF-8 and GB 18030 never have is a letter in this one.
            (
                "lists.list",
                tapped(b"<?xml version='1.0' encoding='iso-8859-1'?><maillist><item><id>7</id>\x81</item></maillist>"),
                "not well-formed",
            ),
        ],
    )
    def test_what_cannot_be_kept(self, tmp_path: Path, name: str, reply: RecordedReply | None, reason: str) -> None:
        with pytest.raises(NotRecordable, match=reason) as refusal:
            recorder(tmp_path).record(BY_NAME[name], 7, reply)
        assert "li@shop.cn" not in str(refusal.value)
        assert not list(tmp_path.rglob("*.*"))


class TestFiles:
    def test_only_their_owner_reads_them(self, tmp_path: Path) -> None:
        recorder(tmp_path / "new").record(LISTS, None, tapped("<maillist></maillist>"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
        assert modes == {"lists": 0o700, "list": 0o700, "recorded.json": 0o600, "recorded.reply.xml": 0o600}

    def test_none_is_replaced_unless_that_is_wanted(self, tmp_path: Path) -> None:
        recorder(tmp_path).record(EXPORT, 78, tapped("a@b.cn"))
        with pytest.raises(NotRecordable, match="there is one already"):
            recorder(tmp_path).record(EXPORT, 78, tapped("<result><status>error</status></result>"))
        assert kept(tmp_path, "exports.contacts") == b"user1@example.com"
        recorder(tmp_path, force=True).record(EXPORT, 78, tapped("<result><status>error</status></result>"))
        assert kept(tmp_path, "exports.contacts") == b"<result><status>error</status></result>"
        assert len(list(tmp_path.rglob("*.*"))) == 2

    def test_none_is_left_half_written(self, tmp_path: Path) -> None:
        folder = tmp_path / "lists" / "list"
        folder.mkdir(parents=True)
        folder.chmod(0o500)
        readable = folder / "probe"
        try:
            readable.touch()
        except OSError:
            with pytest.raises(OSError, match="denied"):
                recorder(tmp_path).record(LISTS, None, tapped("<maillist></maillist>"))
        else:
            readable.unlink()
        assert list(folder.iterdir()) == []
