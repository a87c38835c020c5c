"""Chapter 10: the SMTP sink."""

from email.message import EmailMessage

import aiosmtplib
import httpx2
import pytest

from app.sandbox import Account, Sandbox

USER, PASSWORD = "news@demo.example", "sandbox"


def _client(sandbox: Sandbox) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.smtp_port, start_tls=False, use_tls=False, timeout=5)


def _message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = USER, "anna@example.com", "你好"
    message.set_content("内容\n")
    return message


@pytest.mark.parametrize("mechanism", ["login", "plain"])
async def test_message_is_kept(sandbox: Sandbox, web: httpx2.AsyncClient, mechanism: str) -> None:
    async with _client(sandbox) as client:
        await client.ehlo()
        await (client.auth_login if mechanism == "login" else client.auth_plain)(USER, PASSWORD)
        refused, _ = await client.send_message(_message(), recipients=["anna@example.com", "x+refuse@example.com"])
    assert {address: reply.code for address, reply in refused.items()} == {"x+refuse@example.com": 550}
    (message,) = sandbox.messages
    assert (message.mailbox, message.mail_from, message.recipients) == (USER, USER, ("anna@example.com",))
    assert b"Subject: =?utf-8?" in message.content
    (shown,) = (await web.get("/_sandbox/messages")).json()["messages"]
    assert (shown["from"], shown["recipients"]) == (USER, ["anna@example.com"])
    assert shown["received"] == "2026-11-22 13:04:05"
    assert "Subject:" in shown["content"]


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), ("nobody@demo.example", "sandbox"), ("demo", "pässwort")]
)
async def test_wrong_login_is_refused(sandbox: Sandbox, user: str, password: str) -> None:
    async with _client(sandbox) as client:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as caught:
            await client.login(user, password)
    assert caught.value.code == 535


async def test_login_is_required(sandbox: Sandbox) -> None:
    async with _client(sandbox) as client:
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as caught:
            await client.sendmail(USER, ["anna@example.com"], b"Subject: x\r\n\r\nx")
    assert caught.value.code == 530
    assert sandbox.messages == []


async def test_a_new_mailbox_may_log_in_with_its_newest_password(sandbox: Sandbox) -> None:
    box = sandbox.state("demo").mailboxes[USER]
    box.password = "changed"
    async with _client(sandbox) as client:
        await client.login(USER, "changed")


async def test_stop_drops_open_connections() -> None:
    sandbox = Sandbox([Account("demo", "x", seeded=True)], smtp=True)
    await sandbox.start()
    client = _client(sandbox)
    await client.connect()
    await sandbox.stop()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()
    client.close()
