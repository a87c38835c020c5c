"""One SMTP session with a relay (manual, chapter 10), and exact knowledge of what a failure in it means.

The one question after a failure is whether the relay can have the message. Until it has answered DATA with 354 it
cannot; from the first byte of the message until the relay's reply to it, nobody knows.
"""

import asyncio
import re
import ssl
from contextlib import suppress

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from app.messages import failures
from app.messages.failures import Reply
from app.messages.models import Envelope, Rejection, Waits
from app.messages.sockets import connected
from app.messages.translation import fate_unknown, nothing_sent
from app.tenants.destinations import Destinations
from app.tenants.models import SmtpAccount
from app.upstream.redaction import Redact, redactor

# What the manual's own sample says of itself; the machine's name is nobody's business.
_HELO = "localhost"
_LEADING_DOT = re.compile(rb"(?m)^\.")
_NO_SUCH_MECHANISM = {500, 502, 503, 504, 534}
_FAREWELL = 2.0


class RelayConnection:
    """A session that has logged in. Once a method has raised, only `close` is left.

    Args:
        client: connected, greeted and logged in.
        patience: seconds to wait for the reply to a message.
        redact: masks the account's secrets in what the relay says.
    """

    def __init__(self, client: aiosmtplib.SMTP, patience: float, redact: Redact) -> None:
        self._client = client
        self._patience = patience
        self._redact = redact

    @classmethod
    async def open(
        cls, account: SmtpAccount, waits: Waits, tls: ssl.SSLContext | None, destinations: Destinations
    ) -> "RelayConnection":
        """Connect where that is allowed, secure the connection as the account asks, and log in.

        Raises:
            UpstreamUnavailable: no connection, no TLS, or the relay does not take part.
            UpstreamCredentialsRejected: the login is refused.
            UpstreamMalformed: what answers is not SMTP.
        """
        client = aiosmtplib.SMTP(
            hostname=account.host,
            local_hostname=_HELO,
            timeout=waits.reply,
            use_tls=account.security == "tls",
            start_tls=account.security == "starttls",
            tls_context=tls,
        )
        redact = _redactor(account)
        connection = cls(client, waits.total, redact)
        try:
            with nothing_sent(redact):
                sock = await connected(account.host, account.port, destinations, seconds=waits.connect)
                await client.connect(sock=sock, timeout=waits.connect)
                await _greet(client)
                if account.username:
                    await _log_in(client, account)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def is_alive(self) -> bool:
        """Reset the session and tell whether the relay took part."""
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True

    async def submit(self, envelope: Envelope) -> list[Rejection]:
        """Hand over one message and return the recipients that were refused, of which there may be some but not all.

        Raises:
            UpstreamRejected: the sender, every recipient, or the message is refused.
            UpstreamCredentialsRejected: the relay wants a login before it takes messages.
            UpstreamUnavailable, UpstreamMalformed: the session broke before the message began to leave.
            OutcomeUnknown: it broke afterwards.
        """
        with nothing_sent(self._redact):
            await self._mail(envelope)
            rejections = await self._recipients(envelope.recipients)
            protocol = await self._data(envelope)
        with fate_unknown(envelope.message_id):
            # The message's own size decides how long this takes, so it may take as long as the whole submission.
            reply = self._reply(*await protocol.read_response(timeout=self._patience))
        if reply.code // 100 in {4, 5}:
            raise _refusal("the message", reply)
        if reply.code // 100 != 2:
            raise failures.outcome_unknown(envelope.message_id, f"it answered {reply.code}")
        return rejections

    async def _mail(self, envelope: Envelope) -> None:
        size = [f"SIZE={len(envelope.content)}"] if self._client.supports_extension("size") else []
        try:
            await self._client.mail(envelope.sender, options=size)
        except aiosmtplib.SMTPSenderRefused as error:
            raise _refusal("the sender", self._reply(error.code, error.message)) from None

    async def _recipients(self, recipients: dict[str, str]) -> list[Rejection]:
        rejections = []
        for address, spelling in recipients.items():
            try:
                await self._client.rcpt(address)
            except aiosmtplib.SMTPRecipientRefused as error:
                reply = self._reply(error.code, error.message)
                if reply.code == 421:
                    raise _refusal("a recipient", reply) from None
                rejections.append(Rejection(spelling, reply.code, reply.text))
        if len(rejections) == len(recipients):
            raise failures.all_refused(rejections)
        return rejections

    async def _data(self, envelope: Envelope) -> SMTPProtocol:
        """Send DATA and, once the relay is ready, the message; the reply to it is still to be read."""
        reply = await self._client.execute_command(b"DATA")
        if reply.code != 354:
            raise _refusal("the message", self._reply(*reply))
        # The library's own data() does not tell a failure before the 354 from one after it.
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("lost right after the 354")
        protocol.write(_LEADING_DOT.sub(b"..", envelope.content) + b".\r\n")
        envelope.begun = True
        return protocol

    def _reply(self, code: int, text: str) -> Reply:
        return Reply.of(code, self._redact(text))

    async def close(self) -> None:
        """Take leave of the relay, without insisting on an answer."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=_FAREWELL)
        self.abort()

    def abort(self) -> None:
        """Drop the connection together with whatever has not left yet."""
        transport = self._client.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        self._client.close()


def _redactor(account: SmtpAccount) -> Redact:
    password = account.password.get_secret_value() if account.password else ""
    # AUTH PLAIN sends user and password as one (RFC 4616).
    return redactor([password, f"\0{account.username}\0{password}"] if password else [])


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


async def _log_in(client: aiosmtplib.SMTP, account: SmtpAccount) -> None:
    password = account.password.get_secret_value() if account.password else ""
    # LOGIN comes first because it is what the manual's sample uses.
    known = {"login": client.auth_login, "plain": client.auth_plain}
    mechanisms = [attempt for name, attempt in known.items() if name in client.server_auth_methods]
    for attempt in mechanisms:
        try:
            await attempt(account.username or "", password)
        except aiosmtplib.SMTPAuthenticationError as error:
            _check_login_refusal(error)
        else:
            return
    raise failures.login_refused(reason="it offers no login that the gateway can use, neither PLAIN nor LOGIN")


def _check_login_refusal(error: aiosmtplib.SMTPAuthenticationError) -> None:
    """Pass over a mechanism that the relay announced but does not have."""
    if error.code in _NO_SUCH_MECHANISM:
        return
    if 400 <= error.code < 500:
        raise failures.unavailable(f"it cannot check the login now ({error.code})") from None
    raise failures.login_refused(error.code) from None


def _refusal(what: str, reply: Reply) -> Exception:
    if reply.code == 421:
        return failures.unavailable("it is closing the session", reply)
    if reply.code == 530:
        return failures.login_refused(reply.code, "it wants a login")
    return failures.refused(what, reply)
