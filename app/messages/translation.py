"""What breaks in an SMTP session, translated into the gateway's errors by when it breaks."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.messages import failures
from app.messages.session import NotSmtp, SessionLost
from app.messages.sockets import NoConnection, NoConnectionInTime


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Translate what can break while the relay has nothing of the message."""
    try:
        yield
    except NotSmtp:
        raise failures.malformed() from None
    except (SessionLost, OSError, UnicodeError) as error:
        raise failures.unavailable(_reason(error)) from None


@contextmanager
def fate_unknown(message_id: str) -> Iterator[None]:
    """Translate what can break once the message has begun to leave."""
    try:
        yield
    except NotSmtp:
        raise failures.outcome_unknown(message_id, "it answered with something that is not SMTP") from None
    except TimeoutError:
        raise failures.outcome_unknown(message_id, "time ran out") from None
    except (SessionLost, OSError):
        raise failures.outcome_unknown(message_id, "the connection broke") from None


def _reason(error: BaseException) -> str:
    return next((reason for kinds, reason in REASONS if isinstance(error, kinds)), "the connection broke")


REASONS: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (ssl.SSLError, "TLS failed"),
    ((socket.gaierror, UnicodeError), "its name cannot be resolved"),
    (NoConnectionInTime, "no connection in time"),
    (NoConnection, "cannot connect"),
    (TimeoutError, "no reply in time"),
)
