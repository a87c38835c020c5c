"""What the gateway asks of a transport: exact knowledge of what a failure means.

The one question that matters after a failure is whether the platform can have seen the request. `NeverSent` says it
cannot; `MaybeSent` says it may have.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Protocol

from app.upstream.envelope import WireRequest


class TransportFailure(Exception):
    """The call failed below HTTP.

    Args:
        reason: what happened, in words that hold neither URL nor credentials.
    """

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out


class NeverSent(TransportFailure):
    """Not a byte of the request left the gateway; repeating it is safe."""


class MaybeSent(TransportFailure):
    """The platform may have received and carried out the request."""


class Progress:
    """How far a request has come."""

    def __init__(self) -> None:
        self.sending = False
        """Whether its first byte may have left."""


class Reply(Protocol):
    """An HTTP reply whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""

    def chunk(self) -> Awaitable[bytes | None]:
        """Return what waits for more of the body, as it came; None is its end.

        Awaiting it raises `MaybeSent` where the body breaks off.
        """

    async def aclose(self) -> None:
        """Free the connection."""


class Transport(ABC):
    """Carries out HTTP exchanges. The URL goes out as it is, nothing is followed, kept for later or sent twice."""

    @abstractmethod
    async def open(self, request: WireRequest, *, connect: float, progress: Progress) -> Reply:
        """Send a request; return the reply once its head is there.

        Args:
            progress: told when the first byte leaves; decides what it means if the caller gives up waiting.

        Raises:
            NeverSent, MaybeSent: no reply came back.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """End every connection."""
