"""Requests as they leave, credentials included; replies as they are opened."""

import base64
import hashlib
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.errors import Conflict, GatewayError, NotFound, UpstreamAnswer, UpstreamCredentialsRejected, UpstreamRejected
from app.tenants.models import UpstreamAccount
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import Parameters, WireReply, WireRequest, address, open_document, unwrap
from app.upstream.faults import FAULTS
from app.upstream.multipart import File

ZONE = ZoneInfo("Asia/Shanghai")
ENCODABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def account(password: str = "秘密:pass&word", **fields: str) -> UpstreamAccount:
    return UpstreamAccount.model_validate(
        {"base_url": "http://127.0.0.1:9/mm-ms/apinew", "username": "用户", "password": SecretStr(password), **fields}
    )


def query_of(request: WireRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=True))


class TestAddress:
    def test_basic_credentials_are_utf8(self) -> None:
        request = address("account.php", "customer-info", Parameters(), account())
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert (scheme, base64.b64decode(token).decode()) == ("Basic", "用户:秘密:pass&word")
        assert request.url == "http://127.0.0.1:9/mm-ms/apinew/account.php?do=customer-info"
        assert request.method == "GET"

    def test_legacy_credentials_are_an_md5_in_the_query(self) -> None:
        request = address("account.php", "customer-info", Parameters(), account(auth="legacy"))
        digest = hashlib.md5("秘密:pass&word".encode()).hexdigest()
        assert query_of(request) == {"username": "用户", "password": digest, "do": "customer-info"}
        assert "Authorization" not in request.headers

    def test_a_form_is_posted_as_utf8(self) -> None:
        request = address("mloperate.php", "maillist-add", Parameters(form={"subject": "新闻 & ;"}), account())
        assert request.method == "POST"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
        assert request.body == b"subject=%E6%96%B0%E9%97%BB%20%26%20%3B"

    def test_files_are_posted_as_multipart(self) -> None:
        files = (File("file", '图"片\r\n.jpg', "image/jpeg", b"\x00\xff"),)
        request = address("template.php", "add-tpl", Parameters(form={"name": "名"}, files=files), account())
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert 'name="file"; filename="图%22片%0D%0A.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode() in request.body
        assert b"\r\n\r\n\x00\xff\r\n--" in request.body

    def test_nothing_secret_is_in_a_repr(self) -> None:
        parameters = Parameters(query={"pwd": "mailbox-secret"}, form={"pwd": "mailbox-secret"})
        shown = repr(address("bs.php", "mailbox-add", parameters, account())) + repr(parameters) + repr(account())
        for secret in ("mailbox-secret", "pass&word", "Authorization"):
            assert secret not in shown

    @given(
        query=st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), ENCODABLE),
        form=st.dictionaries(ENCODABLE, ENCODABLE),
    )
    def test_any_value_survives_encoding(self, query: dict[str, str], form: dict[str, str]) -> None:
        request = address("x.php", None, Parameters(query=query, form=form), account())
        assert dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True)) == query
        assert dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True)) == form


def opened(received: WireReply, *, plain_text: bool = False) -> Document:
    return open_document(received, Document("", None, ZONE), plain_text=plain_text)


def reply(body: str | bytes, content_type: str = "text/html; charset=utf-8") -> WireReply:
    return WireReply(200, {"content-type": content_type}, body.encode() if isinstance(body, str) else body)


class TestOpenDocument:
    @pytest.mark.parametrize("body", ["", " \r\n ", "<html><body>404</body></html>", "<!DOCTYPE html>", "OK", "<a><b>"])
    def test_refuses_what_is_no_document(self, body: str) -> None:
        with pytest.raises(UnexpectedForm):
            opened(reply(body))

    def test_characters_that_were_lost_before_are_drift(self) -> None:
        document = opened(reply("<l>\ufffd</l>"))
        assert [each.kind for each in document.drift] == [DriftKind.UNDECODABLE_BYTES]
        assert not document.is_whole

    def test_plain_text_is_taken_where_it_is_promised(self) -> None:
        document = opened(reply("a@example.com\tA\n"), plain_text=True)
        assert (document.root, document.content.strip()) == ("", "a@example.com\tA")
        assert opened(reply(""), plain_text=True).content == ""

    def test_xml_where_plain_text_is_promised_is_read_as_xml(self) -> None:
        assert opened(reply("<result><status>error</status></result>"), plain_text=True).root == "result"


def unwrapped(body: str, root: str | None = "result") -> None:
    unwrap(opened(reply(body), plain_text=root is None), "noun.verb", root)


class TestUnwrap:
    @pytest.mark.parametrize("status", ["success", "success_and_check_ok", "no_complete", "\r\n  success\r\n "])
    def test_success(self, status: str) -> None:
        document = opened(reply(f"<result><status>{status}</status></result>"))
        unwrap(document, "noun.verb", "result")
        assert document.status == status.strip()

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("not_exist", NotFound),
            ("add_maillist_error", UpstreamRejected),
            ("auth_error", UpstreamCredentialsRejected),
            ("domain_verified", Conflict),
            ("never_heard_of_error", UpstreamRejected),
        ],
    )
    @pytest.mark.parametrize("root", ["result", "maillist", None])
    def test_error_status_whatever_was_promised(self, status: str, kind: type[GatewayError], root: str | None) -> None:
        with pytest.raises(kind) as caught:
            unwrapped(f"<result><status>{status}</status><data><![CDATA[描述]]></data></result>", root)
        upstream: UpstreamAnswer = getattr(caught.value, "upstream")  # noqa: B009 - not every GatewayError has it
        assert (upstream.operation, upstream.status, upstream.message) == ("noun.verb", status, "描述")

    def test_long_texts_are_cut(self) -> None:
        with pytest.raises(UpstreamRejected) as caught:
            unwrapped(f"<result><status>bad_error</status><data>{'x' * 10_000}</data></result>")
        assert caught.value.upstream is not None
        assert len(caught.value.upstream.message or "") == 500

    @pytest.mark.parametrize(
        "body", ["<result/>", "<result><data>x</data></result>", "<other/>", "<result><status/></result>"]
    )
    def test_neither_success_nor_error(self, body: str) -> None:
        with pytest.raises(UnexpectedForm):
            unwrapped(body)

    def test_success_where_a_document_was_promised(self) -> None:
        with pytest.raises(UnexpectedForm):
            unwrapped("<result><status>success</status></result>", "maillist")


DOCUMENTED = [
    "add_maillist_error",
    "add_describe_error",
    "update_maillist_error",
    "update_describe_error",
    "delete_address_error",
    "delete_describe_error",
    "delete_maillist_error",
    "not_exist",
    "error",
]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_is_in_the_table(code: str) -> None:
    assert code in FAULTS
