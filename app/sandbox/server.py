"""The sandbox as a server: one TCP port for the platform and for its own control, optionally one for SMTP."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from app.sandbox.control import Control
from app.sandbox.endpoints import Endpoints, check_operation
from app.sandbox.faults import Fault, FaultQueue
from app.sandbox.journal import Journal, ReceivedCall
from app.sandbox.models import Account
from app.sandbox.seed import seed
from app.sandbox.smtp import ReceivedMessage, SmtpSink
from app.sandbox.state import AccountState, World
from app.sandbox.times import PACE, Clock, Pace, system_clock

LOOPBACK = "127.0.0.1"
MAX_BODY = 256 * 1024 * 1024


class Sandbox:
    """A stateful stand-in for the U-Mail service.

    Use it as ``async with Sandbox([Account("acme", "secret", seeded=True)]) as sandbox:``, which listens on the
    loopback interface and a free port, or call ``start`` and ``stop``. The state lives in memory and outlasts ``stop``.
    """

    def __init__(
        self, accounts: Sequence[Account], clock: Clock = system_clock, *, smtp: bool = False, pace: Pace = PACE
    ) -> None:
        """Take the accounts, a clock (callable answering an aware datetime) and whether to receive e-mail."""
        self._world = World(accounts, clock, pace)
        for state in self._world.accounts.values():
            if state.account.seeded:
                seed(state, self._world.now())
        self._faults = FaultQueue()
        self._journal = Journal()
        self._stopping = asyncio.Event()
        self._sink = SmtpSink(self._world)
        self._smtp = smtp
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = LOOPBACK, port: int = 0, *, smtp_port: int = 0) -> None:
        """Listen; port 0 takes a free one, for HTTP and for SMTP (if that was asked for)."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is already running")
        self._stopping.clear()
        runner = web.AppRunner(
            self._application(), access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            if self._smtp:
                await self._sink.start(host, smtp_port)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    def _application(self) -> web.Application:
        endpoints = Endpoints(self._world, self._faults, self._journal, self._stopping)
        control = Control(self._world, self._faults, self._journal, lambda: self.messages)
        application = web.Application(client_max_size=MAX_BODY)
        application.add_routes([*endpoints.routes(), *control.routes()])
        return application

    async def stop(self) -> None:
        """Stop listening; calls that a fault keeps waiting end at once."""
        if self._runner is None:
            return
        self._stopping.set()
        runner, self._runner = self._runner, None
        await self._sink.stop()
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        """Start on the loopback interface and a free port."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def origin(self) -> str:
        """Scheme, host and port, as ``http://127.0.0.1:9000``."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not running")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """The endpoint with HTTP Basic authentication."""
        return f"{self.origin}/mm-ms/apinew/"

    @property
    def legacy_base_url(self) -> str:
        """The old endpoint with credentials in the query."""
        return f"{self.origin}/mm-ms/api/"

    @property
    def smtp_port(self) -> int:
        """The port of the SMTP relay, if it was asked for."""
        return self._sink.port

    @property
    def calls(self) -> list[ReceivedCall]:
        """The newest calls the platform received, newest last."""
        return self._journal.calls()

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The messages received by SMTP, newest last."""
        return list(self._sink.messages)

    def misbehave(self, fault: Fault) -> None:
        """Queue a fault; the oldest waiting fault that matches a call hits it."""
        check_operation(fault)
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Drop all waiting faults."""
        self._faults.clear()

    def state(self, username: str) -> AccountState:
        """Answer what an account holds, brought up to the present moment of the clock."""
        state = self._world.current(username)
        if state is None:
            raise KeyError(username)
        return state
