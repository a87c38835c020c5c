"""Submission to relays that work, and to relays that say no."""

import base64
import ssl
from typing import Any

import pytest
import trustme

from app.errors import (
    GatewayError,
    UpstreamCredentialsRejected,
    UpstreamFailure,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.messages.models import Attachment, Correspondent, Message
from app.messages.submitter import Submitter
from tests.messages.conftest import make_submitter
from tests.support.relays import LOGIN, Relay
from tests.support.servers import unused_port
from tests.support.submissions import make_caller, make_message


async def failure(submitter: Submitter, kind: type[UpstreamFailure], port: int, **smtp: Any) -> UpstreamFailure:
    """Submit a message and return the error that it must end in."""
    caller = make_caller(port, **smtp)
    with pytest.raises(GatewayError) as caught:
        await submitter.submit(make_message(), caller)
    assert type(caught.value) is kind, caught.value.detail
    assert [call.outcome for call in caller.context.upstream_calls] == [kind.code]
    assert LOGIN[1] not in caught.value.detail
    assert isinstance(caught.value, UpstreamFailure)
    return caught.value


class TestLogin:
    @pytest.mark.parametrize(
        ("offered", "used"), [(("LOGIN",), "LOGIN"), (("PLAIN",), "PLAIN"), (("LOGIN", "PLAIN"), "LOGIN")]
    )
    async def test_succeeds(self, submitter: Submitter, offered: tuple[str, ...], used: str) -> None:
        async with Relay(mechanisms=offered, wants_login=True).running() as relay:
            receipt = await submitter.submit(make_message(), make_caller(relay.port, login=True))
        assert receipt.accepted == ("anna@example.com",)
        assert relay.mechanisms_used == [used]
        assert relay.messages[0].login == LOGIN[0]

    async def test_is_not_needed_everywhere(self, submitter: Submitter) -> None:
        async with Relay(mechanisms=()).running() as relay:
            caller = make_caller(relay.port)
            await submitter.submit(make_message(), caller)
        assert relay.messages[0].login is None
        (call,) = caller.context.upstream_calls
        assert (call.operation, call.outcome, call.status) == ("messages.submit", "ok", 250)

    async def test_wrong_password(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            error = await failure(
                submitter, UpstreamCredentialsRejected, relay.port, login=True, password="wrong-s3cret"
            )
        assert error.upstream is not None
        assert (error.upstream.status, error.upstream.message) == ("535", None)
        assert relay.mechanisms_used == ["LOGIN"]

    async def test_missing_login(self, submitter: Submitter) -> None:
        async with Relay(wants_login=True).running() as relay:
            error = await failure(submitter, UpstreamCredentialsRejected, relay.port)
        assert "wants a login" in error.detail

    async def test_no_mechanism(self, submitter: Submitter) -> None:
        async with Relay(mechanisms=()).running() as relay:
            error = await failure(submitter, UpstreamCredentialsRejected, relay.port, login=True)
        assert "neither PLAIN nor LOGIN" in error.detail


class TestTls:
    async def test_starttls(self, submitter: Submitter, server_tls: ssl.SSLContext) -> None:
        async with Relay(starttls=server_tls, wants_login=True).running() as relay:
            await submitter.submit(make_message(), make_caller(relay.port, login=True, security="starttls"))
        assert relay.sessions[0].session is not None
        assert relay.sessions[0].session.ssl is not None
        assert relay.messages[0].login == LOGIN[0]

    async def test_tls_from_the_start(self, submitter: Submitter, server_tls: ssl.SSLContext) -> None:
        async with Relay(implicit_tls=server_tls, wants_login=True).running() as relay:
            await submitter.submit(make_message(), make_caller(relay.port, login=True, security="tls"))
        assert len(relay.messages) == 1

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    async def test_untrusted_certificate(self, server_tls: ssl.SSLContext, security: str) -> None:
        settings: dict[str, Any] = {"starttls" if security == "starttls" else "implicit_tls": server_tls}
        submitter = make_submitter()
        async with Relay(**settings).running() as relay:
            error = await failure(submitter, UpstreamUnavailable, relay.port, login=True, security=security)
        assert "its certificate is not trusted" in error.detail
        assert (relay.mechanisms_used, relay.messages) == ([], [])

    async def test_certificate_of_another_host(self, submitter: Submitter, authority: trustme.CA) -> None:
        other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.example").configure_cert(other)
        async with Relay(starttls=other).running() as relay:
            error = await failure(submitter, UpstreamUnavailable, relay.port, login=True, security="starttls")
        assert "its certificate is not trusted" in error.detail
        assert relay.mechanisms_used == []

    async def test_no_starttls_is_no_reason_to_go_without(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            error = await failure(submitter, UpstreamUnavailable, relay.port, login=True, security="starttls")
        assert "does not offer STARTTLS" in error.detail
        assert relay.mechanisms_used == []

    async def test_tls_where_there_is_none(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            await failure(submitter, UpstreamUnavailable, relay.port, security="tls")


class TestReach:
    async def test_nobody_listens(self, submitter: Submitter) -> None:
        error = await failure(submitter, UpstreamUnavailable, unused_port())
        assert "cannot connect" in error.detail
        assert error.headers["Retry-After"] == "5"

    @pytest.mark.parametrize("host", ["relay.invalid", "a..b", "x" * 64 + ".example"])
    async def test_no_such_host(self, submitter: Submitter, host: str) -> None:
        error = await failure(submitter, UpstreamUnavailable, 25, host=host)
        assert "cannot be resolved" in error.detail


class TestRefusals:
    async def test_some_recipients(self, submitter: Submitter) -> None:
        refuses = {"gone@example.com": "550 5.1.1 No such user", "full@example.com": "452 4.2.2 Correspondent full"}
        async with Relay(refuses=refuses).running() as relay:
            message = make_message("anna@example.com", *refuses, "bob@example.com")
            receipt = await submitter.submit(message, make_caller(relay.port))
        assert receipt.accepted == ("anna@example.com", "bob@example.com")
        assert [(each.email, each.code, each.message) for each in receipt.rejected] == [
            ("gone@example.com", 550, "5.1.1 No such user"),
            ("full@example.com", 452, "4.2.2 Correspondent full"),
        ]
        assert relay.messages[0].rcpt_tos == ["anna@example.com", "bob@example.com"]

    @pytest.mark.parametrize(("reply", "temporary"), [("550 5.1.1 Gone", False), ("450 4.2.1 Later", True)])
    async def test_all_recipients(self, submitter: Submitter, reply: str, temporary: bool) -> None:
        refuses = {f"{number}@example.com": reply for number in range(12)}
        async with Relay(refuses=refuses).running() as relay:
            with pytest.raises(UpstreamRejected) as caught:
                await submitter.submit(make_message(*refuses), make_caller(relay.port))
        assert f"0@example.com: {reply}; 1@example.com" in caught.value.detail
        assert "; and 2 more" in caught.value.detail
        assert ("temporary" in caught.value.detail) is temporary
        assert caught.value.upstream is not None
        assert (caught.value.upstream.status, caught.value.upstream.message) == (reply[:3], reply[4:])
        assert relay.messages == []

    async def test_secrets_that_the_relay_quotes_are_masked(self, submitter: Submitter) -> None:
        user, password = LOGIN
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        alone = base64.b64encode(password.encode()).decode()
        quoted = f"554 you said {plain} or {alone}"
        async with Relay(refuses={"gone@example.com": quoted}).running() as relay:
            caller = make_caller(relay.port, login=True)
            receipt = await submitter.submit(make_message("gone@example.com", "anna@example.com"), caller)
        async with Relay(mail_reply=quoted).running() as relay:
            error = await failure(submitter, UpstreamRejected, relay.port, login=True)
        for shown in (receipt.rejected[0].message, error.detail, str(error.upstream)):
            assert "***" in shown
            assert alone not in shown
            assert plain not in shown

    @pytest.mark.parametrize("stage", ["mail_reply", "data_reply"])
    @pytest.mark.parametrize(("reply", "temporary"), [("554 5.7.1 Spam", False), ("451 4.3.0 Later", True)])
    async def test_sender_or_message(self, submitter: Submitter, stage: str, reply: str, temporary: bool) -> None:
        replies: dict[str, Any] = {stage: reply}
        async with Relay(**replies).running() as relay:
            error = await failure(submitter, UpstreamRejected, relay.port)
        assert reply in error.detail
        assert "Nothing was sent" in error.detail
        assert ("temporary" in error.detail) is temporary
        assert relay.messages == []


class TestDelivery:
    @pytest.mark.parametrize("smtputf8", [True, False])
    async def test_everything_arrives(self, submitter: Submitter, smtputf8: bool) -> None:
        text = ".\r\n..\r\n" + "x" * 5000 + "\r\n.last"
        message = Message(
            sender=Correspondent("news@Bücher.example", "新闻 Ü"),
            to=(Correspondent("anna@例え.テスト", "Anna 安娜"), Correspondent("bob@example.com")),
            cc=(Correspondent("Bob@Example.com"), Correspondent("bob@EXAMPLE.com", "Bob again")),
            bcc=(Correspondent("hidden@example.com", "Hidden"), Correspondent("anna@xn--r8jz45g.xn--zckzah")),
            subject="您的订单",
            text=text,
            attachments=(Attachment("发票.bin", "application/octet-stream", bytes(range(256)) * 100),),
        )
        async with Relay(smtputf8=smtputf8).running() as relay:
            receipt = await submitter.submit(message, make_caller(relay.port))
        (received,) = relay.messages
        expected = ["anna@xn--r8jz45g.xn--zckzah", "bob@example.com", "Bob@example.com", "hidden@example.com"]
        assert (received.mail_from, received.rcpt_tos) == ("news@xn--bcher-kva.example", expected)
        assert receipt.accepted == ("anna@例え.テスト", "bob@example.com", "Bob@Example.com", "hidden@example.com")
        assert received.content.isascii()
        assert b"idden" not in received.content
        parsed = received.parsed
        assert parsed["Message-ID"] == receipt.message_id
        assert receipt.message_id.endswith("@xn--bcher-kva.example>")
        assert parsed["Subject"] == "您的订单"
        assert parsed["From"].addresses[0].display_name == "新闻 Ü"
        body, attachment = parsed.iter_parts()
        assert body.get_content().split() == text.split()
        assert (attachment.get_filename(), attachment.get_content()) == ("发票.bin", bytes(range(256)) * 100)

    async def test_every_message_has_an_id_of_its_own(self, submitter: Submitter) -> None:
        async with Relay().running() as relay:
            caller = make_caller(relay.port)
            ids = {(await submitter.submit(make_message(), caller)).message_id for _ in range(3)}
        assert len(ids) == 3
