"""One SMTP session with a relay (manual, chapter 10), and exact knowledge of what a failure in it means.

The one question after a failure is whether the relay can have the message. Until it has answered DATA with 354 it
cannot; from the first byte of the message until the relay's reply to it, nobody knows.
"""

import asyncio
import base64
import re
import ssl
from contextlib import suppress

from app.messages import failures
from app.messages.failures import RelayAnswer, fate_unknown, nothing_sent
from app.messages.models import Envelope, Rejection, SmtpTimeouts
from app.messages.session import SessionLost, SmtpReply, SmtpSession, connected
from app.tenants.destinations import Destinations
from app.tenants.models import SmtpAccount
from app.texts import sentence
from app.upstream.redaction import Redact, redactor

# What the manual's own sample says of itself; the machine's name is nobody's business.
_HELO = b"localhost"
_LEADING_DOT = re.compile(rb"(?m)^\.")
_NO_SUCH_MECHANISM = {500, 502, 503, 504, 534}
_FAREWELL = 2.0


class RelayConnection:
    """A session that has logged in. Once a method has raised, only `close` is left."""

    def __init__(self, session: SmtpSession, waits: SmtpTimeouts, redact: Redact) -> None:
        self._session = session
        self._waits = waits
        self._redact = redact
        self._extensions: dict[str, str] = {}

    @classmethod
    async def open(
        cls, account: SmtpAccount, waits: SmtpTimeouts, tls: ssl.SSLContext | None, destinations: Destinations
    ) -> "RelayConnection":
        """Connect where that is allowed, secure the connection as the account asks, and log in.

        Raises:
            UpstreamUnavailable: no connection, no TLS, or the relay does not take part.
            UpstreamCredentialsRejected: the login is refused.
            UpstreamMalformed: what answers is not SMTP.
        """
        redact = _redactor(account)
        with nothing_sent():
            sock = await connected(account.host, account.port, destinations, seconds=waits.connect)
            implicit = tls if account.security == "tls" else None
            host = account.host.strip("[]") if implicit else None
            async with asyncio.timeout(waits.connect):
                _, session = await asyncio.get_running_loop().create_connection(
                    SmtpSession, sock=sock, ssl=implicit, server_hostname=host
                )
        connection = cls(session, waits, redact)
        try:
            with nothing_sent():
                await connection._begin(account, tls)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _begin(self, account: SmtpAccount, tls: ssl.SSLContext | None) -> None:
        async with asyncio.timeout(self._waits.connect):
            self._expect(await self._session.greeted())
        await self._greet()
        if account.security == "starttls" and tls is not None:
            if "STARTTLS" not in self._extensions:
                raise failures.unavailable("it does not offer STARTTLS")
            self._expect(await self._ask(b"STARTTLS"))
            await self._session.secure(tls, account.host.strip("[]"))
            await self._greet()
        if account.username:
            await self._log_in(account)

    async def _greet(self) -> None:
        reply = await self._ask(b"EHLO " + _HELO)
        if reply.code // 100 != 2 and reply.code != 421:
            self._extensions = {}
            self._expect(await self._ask(b"HELO " + _HELO))
            return
        self._expect(reply)
        words = (line.replace("=", " ", 1).split(None, 1) for line in reply.lines[1:] if line.strip())
        self._extensions = {name.upper(): (rest[0] if rest else "").upper() for name, *rest in words}

    async def _log_in(self, account: SmtpAccount) -> None:
        user, password = account.username or "", account.password.get_secret_value() if account.password else ""
        # One that announces nothing is tried as the manual's sample does it.
        offered = self._extensions["AUTH"].split() if "AUTH" in self._extensions else ["LOGIN"]
        for mechanism in ("LOGIN", "PLAIN"):
            if mechanism not in offered:
                continue
            reply = await (self._auth_login if mechanism == "LOGIN" else self._auth_plain)(user, password)
            if reply.code == 235:
                return
            # Passed over, if it announced what it does not have.
            if reply.code in _NO_SUCH_MECHANISM:
                continue
            if 400 <= reply.code < 500:
                raise failures.unavailable(sentence("it cannot check the login now ({code})", code=reply.code))
            raise failures.login_refused(reply.code)
        raise failures.login_refused(
            reason=sentence("it offers no login that the gateway can use, neither PLAIN nor LOGIN")
        )

    async def _auth_login(self, user: str, password: str) -> SmtpReply:
        reply = await self._ask(b"AUTH LOGIN " + base64.b64encode(user.encode()))
        return await self._ask(base64.b64encode(password.encode())) if reply.code == 334 else reply

    async def _auth_plain(self, user: str, password: str) -> SmtpReply:
        return await self._ask(b"AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()))

    async def is_alive(self) -> bool:
        """Tell whether the session can take another message."""
        if not self._session.in_step:
            return False
        if "PIPELINING" in self._extensions:
            # MAIL itself asks; where it finds the relay gone, nothing has been sent.
            return True
        try:
            return (await self._ask(b"RSET")).code // 100 == 2
        except (SessionLost, TimeoutError):
            return False

    async def submit(self, envelope: Envelope) -> list[Rejection]:
        """Hand over one message and return the recipients that were refused, of which there may be some but not all.

        Raises:
            UpstreamRejected: the sender, every recipient, or the message is refused.
            UpstreamCredentialsRejected: the relay wants a login before it takes messages.
            UpstreamUnavailable, UpstreamMalformed: the session broke before the message began to leave.
            OutcomeUnknown: it broke afterwards.
        """
        with nothing_sent():
            rejections = await self._envelope(envelope)
            self._check(await self._ask(b"DATA"), "the message", {354})
            content = _LEADING_DOT.sub(b"..", envelope.content) + b"."
            (answer,) = self._session.send(content)
            envelope.begun = True
        with fate_unknown(envelope.message_id):
            # The message's own size decides how long this takes, so it may take as long as the whole submission.
            async with asyncio.timeout(self._waits.total):
                reply = self._reply(await answer)
        if reply.code // 100 in {4, 5}:
            raise _refusal("the message", reply)
        if reply.code // 100 != 2:
            raise failures.outcome_unknown(envelope.message_id, sentence("it answered {code}", code=reply.code))
        return rejections

    async def _envelope(self, envelope: Envelope) -> list[Rejection]:
        size = f" SIZE={len(envelope.content)}" if "SIZE" in self._extensions else ""
        commands = [f"MAIL FROM:<{envelope.sender}>{size}".encode()]
        commands += [f"RCPT TO:<{address}>".encode() for address in envelope.recipients]
        replies = await self._all(commands)
        self._check(replies[0], "the sender", {250})
        rejections = []
        for spelling, answer in zip(envelope.recipients.values(), replies[1:], strict=True):
            if answer.code in {250, 251}:
                continue
            self._in_step(answer, {250, 251})
            reply = self._reply(answer)
            if reply.code == 421:
                raise _refusal("a recipient", reply)
            rejections.append(Rejection(spelling, reply.code, reply.text))
        if len(rejections) == len(envelope.recipients):
            raise failures.all_refused(rejections)
        return rejections

    async def _all(self, commands: list[bytes]) -> list[SmtpReply]:
        """Ask everything at once where the relay offers it (RFC 2920), otherwise until the sender is refused."""
        if "PIPELINING" in self._extensions:
            replies = self._session.send(*commands)
            async with asyncio.timeout(self._waits.reply):
                return [await each for each in replies]
        first = await self._ask(commands[0])
        self._check(first, "the sender", {250})
        return [first, *[await self._ask(each) for each in commands[1:]]]

    def _check(self, answer: SmtpReply, what: str, expected: set[int]) -> None:
        if answer.code not in expected:
            self._in_step(answer, expected)
            raise _refusal(what, self._reply(answer))

    def _in_step(self, answer: SmtpReply, expected: set[int]) -> None:
        """See that a reply that is no consent is a refusal; anything else belongs to another command."""
        if answer.code not in expected and answer.code // 100 not in {4, 5}:
            self.abort()
            raise failures.unavailable("its replies do not belong to what it was asked")

    def _expect(self, answer: SmtpReply) -> None:
        if answer.code // 100 != 2:
            raise failures.unavailable("it does not take part", self._reply(answer))

    async def _ask(self, command: bytes) -> SmtpReply:
        return await self._session.ask(command, seconds=self._waits.reply)

    def _reply(self, answer: SmtpReply) -> RelayAnswer:
        return RelayAnswer.of(answer.code, self._redact(answer.text))

    async def close(self) -> None:
        """Take leave of the relay, without insisting on an answer."""
        with suppress(SessionLost, TimeoutError):
            await self._session.ask(b"QUIT", seconds=_FAREWELL)
        self.abort()

    def abort(self) -> None:
        """Drop the connection together with whatever has not left yet."""
        self._session.lose(SessionLost("the connection was closed"))


def _redactor(account: SmtpAccount) -> Redact:
    password = account.password.get_secret_value() if account.password else ""
    # AUTH PLAIN sends user and password as one (RFC 4616).
    return redactor([password, f"\0{account.username}\0{password}"] if password else [])


def _refusal(what: str, reply: RelayAnswer) -> Exception:
    if reply.code == 421:
        return failures.unavailable("it is closing the session", reply)
    if reply.code == 530:
        return failures.login_refused(reply.code, sentence("it wants a login"))
    return failures.refused(what, reply)
