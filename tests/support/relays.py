"""SMTP relays on loopback: honest ones that remember what they took, and scripted ones that fail in exactly one way."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.servers import Behaviour, reset

HANG = b"hang"
DROP = b"drop"

LOGIN = ("news@acme.example", "s3cret-smtp-pässword")


@dataclass
class Received:
    """A message as the relay took it."""

    login: str | None
    mail_from: str
    rcpt_tos: list[str]
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        """The message as the standard library reads it."""
        return email.message_from_bytes(self.content, policy=email.policy.default)


@dataclass
class Relay:
    """An aiosmtpd server on the running loop.

    Args:
        mechanisms: the logins it offers; none at all when it is empty.
        wants_login: whether MAIL needs a login.
        implicit_tls: speaks TLS from the first byte.
        starttls: offers STARTTLS.
        smtputf8: offers SMTPUTF8.
        refuses: replies to RCPT, by address.
        mail_reply, data_reply: what it answers instead of 250.
        released: if given, it answers to a message only once this is set.
    """

    mechanisms: tuple[str, ...] = ("LOGIN", "PLAIN")
    wants_login: bool = False
    implicit_tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    smtputf8: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    mail_reply: str = "250 OK"
    data_reply: str = "250 OK"
    port: int = 0
    mechanisms_used: list[str] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    sessions: list[SMTP] = field(default_factory=list)
    farewells: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._session, "127.0.0.1", 0, ssl=self.implicit_tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.drop()
            await server.wait_closed()

    def drop(self) -> None:
        """Break every session that is open."""
        for session in self.sessions:
            if isinstance(session.transport, asyncio.WriteTransport):
                session.transport.abort()

    def _session(self) -> SMTP:
        excluded = {"LOGIN", "PLAIN"} - set(self.mechanisms)
        session = SMTP(
            self,
            hostname="relay.example",
            authenticator=self._authenticate if self.mechanisms else None,
            auth_exclude_mechanism=excluded,
            auth_require_tls=False,
            tls_context=self.starttls,
            enable_SMTPUTF8=self.smtputf8,
            loop=asyncio.get_running_loop(),
        )
        self.sessions.append(session)
        return session

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        self.mechanisms_used.append(mechanism)
        user, password = LOGIN
        if login == LoginPassword(user.encode(), password.encode()):
            return AuthResult(success=True, auth_data=user)
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.wants_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.mail_reply.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.mail_reply

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.arrived.set()
        if self.released:
            await self.released.wait()
        if self.data_reply.startswith("250"):
            login = session.auth_data if session.authenticated else None
            self.messages.append(Received(login, str(envelope.mail_from), envelope.rcpt_tos, envelope.content))
        return self.data_reply

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        self.farewells += 1
        self.left.set()
        return "221 Bye"


def scripted(seen: list[str], **stages: bytes) -> Behaviour:
    """Return a relay that answers each stage as told, and with what any relay would say otherwise.

    Args:
        seen: filled with the commands that came, and `content` for a message that came whole.
        stages: the reply, HANG or DROP, by command or by `greeting`, `content` (after the final dot) or `body` (in the
            middle of the message), or `ready` (right after the 354).
    """
    usual = {
        "greeting": b"220 relay.example",
        "EHLO": b"250-relay.example\r\n250 AUTH LOGIN PLAIN",
        "DATA": b"354 go ahead",
        "QUIT": b"221 bye",
        **stages,
    }

    async def answer(writer: asyncio.StreamWriter, stage: str) -> None:
        reply = usual.get(stage, b"250 OK")
        if reply == HANG:
            await asyncio.Event().wait()
        if reply == DROP:
            reset(writer)
            raise ConnectionResetError
        writer.write(reply + b"\r\n")

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(writer, "greeting")
        while line := await reader.readline():
            verb = line.split()[0].decode().upper()
            seen.append(verb)
            await answer(writer, verb)
            if verb == "DATA" and usual["DATA"].startswith(b"354"):
                if "ready" in usual:
                    await answer(writer, "ready")
                if "body" in usual:
                    await reader.readexactly(100)
                    await answer(writer, "body")
                await reader.readuntil(b"\r\n.\r\n")
                seen.append("content")
                await answer(writer, "content")

    return behave


def port_of(url: str) -> int:
    """Return the port in a server's URL."""
    return int(url.split(":")[2].partition("/")[0])
