"""Messages as bytes: whatever may be written comes out again, in lines that every relay takes."""

import email
import email.message
import email.policy
import re
import string
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from aiosmtplib.email import parse_address
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.api.files import FileName
from app.api.types import DocumentText, EmailAddress, HeaderText, Name
from app.messages.mime import ascii_address, compose
from app.messages.models import Attachment, Correspondent, Message

DATE = datetime(2026, 11, 22, 5, 4, 5, tzinfo=UTC)
AWKWARD = ' =?utf8bqBQ_AZ"\\,;<>@()中é\u00a0\u3000\u200d😀'

fast = settings(suppress_health_check=list(HealthCheck))


def composed(**fields: Any) -> bytes:
    message = {
        "sender": Correspondent("a@example.com"),
        "to": (Correspondent("b@example.com"),),
        "subject": "s",
        "text": "x",
    }
    content = compose(Message(**{**message, **fields}), "<1@example.com>", DATE)
    assert content.isascii()
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    return content


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert not any(part.defects for part in message.walk())
    return message


def legacy(content: bytes, name: str) -> str:
    """Unfold a header the old way: the new parser of some versions of Python spaces out the encoded words of names."""
    return re.sub("\r?\n", "", str(email.message_from_bytes(content)[name]))


def content_of(part: EmailMessage) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def accepted(kind: Any, texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts as a request's field of type `kind` would hold them."""
    adapter = TypeAdapter[str](kind)

    def is_accepted(text: str) -> bool:
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    return texts.filter(is_accepted).map(adapter.validate_python)


texts = st.one_of(
    st.text(min_size=1, max_size=120),
    st.text(alphabet=AWKWARD, min_size=1, max_size=250),
    st.text(alphabet="ab ", min_size=1, max_size=250),
)
local_parts = st.text(alphabet=string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~.", min_size=1, max_size=64)


class TestHeaders:
    @fast
    @given(accepted(HeaderText, texts), accepted(HeaderText, texts))
    def test_any_text_comes_out_again(self, subject: str, value: str) -> None:
        message = parsed(composed(subject=subject, headers={"X-Note": value}))
        assert (message["Subject"], message["X-Note"]) == (subject, value)

    @fast
    @given(accepted(Name, texts))
    def test_any_name_comes_out_again(self, name: str) -> None:
        people = (Correspondent("b@example.com", name), Correspondent("c@example.com"))
        content = composed(sender=Correspondent("a@example.com", name), to=people, cc=people, reply_to=people[0])
        phrase, address = parseaddr(legacy(content, "From"))
        assert (str(make_header(decode_header(phrase))), address) == (name, "a@example.com")
        message = parsed(content)
        for header in ("To", "Cc"):
            assert [each.addr_spec for each in message[header].addresses] == ["b@example.com", "c@example.com"]
        shown = message["Reply-To"].addresses[0].display_name
        assert "".join(shown.split()) == "".join(name.split())

    @pytest.mark.parametrize("name", ['Doe, "Jane" \\ Co.', "a <b@evil.example>", "=?utf-8?q?x?=", "O'Neil (x)", "x\\"])
    def test_awkward_ascii_names(self, name: str) -> None:
        content = composed(sender=Correspondent("a@example.com", name))
        assert parsed(content)["From"].addresses[0].display_name == name
        assert [each.addr_spec for each in parsed(content)["From"].addresses] == ["a@example.com"]

    @pytest.mark.parametrize("subject", ["x" * 998, "a " * 400 + "b", "中" * 998, "a  b   c", "=?utf-8?b?YQ==?= x"])
    def test_long_and_odd_subjects(self, subject: str) -> None:
        assert parsed(composed(subject=subject))["Subject"] == subject

    def test_encoded_words_are_short_and_whole(self) -> None:
        words = re.findall(r"=\?utf-8\?b\?([^?]+)\?=", composed(subject="😀中é" * 100).decode())
        assert len(words) > 10
        assert all(len(f"=?utf-8?b?{word}?=") <= 75 for word in words)
        assert "".join(str(make_header(decode_header(f"=?utf-8?b?{word}?="))) for word in words) == "😀中é" * 100

    def test_structured_values_stay_readable(self) -> None:
        value = " ".join(f"<{index:036}@example.com>" for index in range(10))
        content = composed(
            headers={"References": value, "List-Unsubscribe": "<https://a.example/?a=?b>,  <mailto:a@x>"}
        )
        assert b"=?utf-8" not in content
        assert legacy(content, "References") == value
        assert legacy(content, "List-Unsubscribe") == "<https://a.example/?a=?b>,  <mailto:a@x>"

    def test_every_message_is_complete(self) -> None:
        content = composed(subject="Order", bcc=(Correspondent("hidden@example.com", "Hidden"),))
        message = parsed(content)
        assert message.keys()[:5] == ["From", "To", "Subject", "Date", "Message-ID"]
        assert message["Date"].datetime == DATE
        assert message["Message-ID"] == "<1@example.com>"
        assert message["MIME-Version"] == "1.0"
        assert b"idden" not in content


class TestAddresses:
    @fast
    @given(accepted(EmailAddress, local_parts.map(lambda local: f"{local}@Bücher.example")))
    def test_any_address_survives_library_and_header(self, address: str) -> None:
        expected = f"{address.partition('@')[0]}@xn--bcher-kva.example"
        assert ascii_address(address) == expected
        assert parse_address(expected) == expected
        assert parsed(composed(to=(Correspondent(address, "x"),)))["To"].addresses[0].addr_spec == expected


class TestBodies:
    def test_text_alone(self) -> None:
        message = parsed(composed(text="Grüße\r\n.\n..dot\n"))
        assert (message.get_content_type(), content_of(message)) == ("text/plain", "Grüße\n.\n..dot\n")

    def test_html_alone(self) -> None:
        message = parsed(composed(text=None, html="<p>谢谢</p>"))
        assert (message.get_content_type(), message.get_content().strip()) == ("text/html", "<p>谢谢</p>")

    def test_everything_at_once(self) -> None:
        image = Attachment("图.png", "image/png", b"\x89PNG", content_id="logo@" + "x" * 100)
        invitation = Attachment('a "b".ics', "text/calendar", b"BEGIN", {"method": "REQUEST", "charset": "utf-8"})
        message = parsed(composed(text="plain", html="<img>", attachments=(invitation, image)))
        assert [part.get_content_type() for part in message.walk()] == [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "multipart/related",
            "text/html",
            "image/png",
            "text/calendar",
        ]
        related, shown, attached = (list(message.walk())[index] for index in (3, 5, 6))
        assert related.get_param("type") == "text/html"
        assert shown["Content-ID"] == "<logo@" + "x" * 100 + ">"
        assert (shown.get_content_disposition(), shown.get_filename()) == ("inline", "图.png")
        assert (attached.get_content_disposition(), attached.get_filename()) == ("attachment", 'a "b".ics')
        assert (attached.get_param("method"), attached.get_content()) == ("REQUEST", "BEGIN")

    def test_file_names_are_written_by_rfc_2231(self) -> None:
        content = composed(attachments=(Attachment("发票" * 60 + ".pdf", "application/pdf", b"x"),))
        assert b"filename*0*=utf-8''%E5%8F%91" in content
        assert next(iter(parsed(content).iter_attachments())).get_filename() == "发票" * 60 + ".pdf"

    @fast
    @given(accepted(FileName, texts), accepted(DocumentText, st.text(max_size=2000)), st.binary(max_size=5000))
    def test_any_content_comes_out_again(self, filename: str, text: str, content: bytes) -> None:
        files = (Attachment(filename, "a/b", content), Attachment(filename, "image/png", content, content_id="x"))
        message = parsed(composed(text=text, html=text, attachments=files))
        plain, html, *parts = (part for part in message.walk() if not part.is_multipart())
        expected = re.sub("\r\n|\r", "\n", text).rstrip("\n")
        assert content_of(plain).rstrip("\n") == content_of(html).rstrip("\n") == expected
        for part in parts:
            assert part.get_payload(decode=True) == content
            # The standard library's reader takes several spaces for one.
            assert str(part.get_filename()).split() == filename.split()
