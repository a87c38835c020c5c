"""The platform's SMTP relay (manual chapter 10) as a sink: it takes messages and keeps them.

A login is a sender mailbox and its own password; recipients with ``+refuse`` in the address are refused.
"""

import asyncio
import hmac
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.sandbox.state import World
from app.sandbox.times import stamp

HOSTNAME = "smtp.sandbox.example"
REFUSED_TAG = "+refuse"
MESSAGE_LIMIT = 1000


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as it came: who logged in, the envelope, and the bytes."""

    mailbox: str
    mail_from: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    received: datetime

    def public(self) -> dict[str, Any]:
        """Describe the message as JSON values."""
        return {
            "mailbox": self.mailbox,
            "from": self.mail_from,
            "recipients": list(self.recipients),
            "received": stamp(self.received),
            "content": self.content.decode("utf-8", "backslashreplace"),
        }


class SmtpSink:
    """An SMTP server on the running event loop, without threads."""

    def __init__(self, world: World) -> None:
        """Take the accounts whose mailboxes may log in."""
        self._world = world
        self._server: asyncio.Server | None = None
        self._connections: WeakSet[SMTP] = WeakSet()
        self.messages: deque[ReceivedMessage] = deque(maxlen=MESSAGE_LIMIT)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the SMTP sink is not running")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, host, port)

    async def stop(self) -> None:
        """Stop listening and drop the open connections."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()
        await self._server.wait_closed()
        self._server = None

    def _connection(self) -> SMTP:
        connection = SMTP(
            self,
            hostname=HOSTNAME,
            ident="U-Mail sandbox",
            authenticator=self._authenticate,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._connections.add(connection)
        return connection

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        box = self._world.mailbox(login.login.decode("utf-8", "replace").lower())
        if box is not None and hmac.compare_digest(box.password.encode(), login.password):
            return AuthResult(success=True, auth_data=box.address)
        return AuthResult(success=False, handled=False)

    # aiosmtpd finds its hooks by these names.

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the envelope sender of somebody who has logged in."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse one that asks for it."""
        if REFUSED_TAG in address:
            return "550 5.1.1 Mailbox not found"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
        message = ReceivedMessage(
            str(session.auth_data), str(envelope.mail_from), tuple(envelope.rcpt_tos), content, self._world.now()
        )
        self.messages.append(message)
        return f"250 OK: queued as {len(self.messages)}"
