"""Whether the process can serve, and which part of it cannot."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import FrameType

Check = Callable[[], Awaitable[bool]]


class Readiness:
    """Knows whether the process serves, and asks its parts how they are.

    Args:
        parts: asks each part by name; a part that is not `needed` is told of, no more.
    """

    def __init__(self, parts: Mapping[str, Check], needed: frozenset[str]) -> None:
        self._parts = parts
        self._needed = needed
        self.serving = False

    async def checks(self) -> dict[str, str]:
        """Return each part, the gateway itself included, and whether it is `ok` or `failing`."""
        return {"gateway": "ok" if self.serving else "failing", **await self.parts()}

    async def parts(self) -> dict[str, str]:
        """Return each part that the gateway rests on, and whether it is `ok` or `failing`."""
        answers = await asyncio.gather(*(ask() for ask in self._parts.values()))
        return {name: "ok" if good else "failing" for name, good in zip(self._parts, answers, strict=True)}

    def suffices(self, checks: Mapping[str, str]) -> bool:
        """Tell whether requests can be served with the parts as they are."""
        return self.serving and all(checks[name] == "ok" for name in self._needed)

    @asynccontextmanager
    async def serving_until_told(self, drain_seconds: float) -> AsyncIterator[None]:
        """Serve while the context is open; readiness ends `drain_seconds` before the server hears of SIGTERM.

        Load balancers look at readiness from time to time: until they have, they send requests, which must find an open
        door. A second signal does not wait.
        """
        self.serving = True
        loop = asyncio.get_running_loop()
        usual = signal.getsignal(signal.SIGTERM)

        def on_signal(number: int, frame: FrameType | None) -> None:
            delay = drain_seconds if self.serving else 0.0
            self.serving = False
            loop.call_soon_threadsafe(loop.call_later, delay, _pass_on, usual, number, frame)

        installed = callable(usual) and _install(on_signal)
        try:
            yield
        finally:
            self.serving = False
            if installed:
                signal.signal(signal.SIGTERM, usual)


def _install(handler: Callable[[int, FrameType | None], None]) -> bool:
    try:
        signal.signal(signal.SIGTERM, handler)
    except ValueError:
        # Not the main thread, which then is not the one that hears of signals either.
        return False
    return True


def _pass_on(usual: object, number: int, frame: FrameType | None) -> None:
    if callable(usual):
        usual(number, frame)
