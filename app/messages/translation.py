"""What breaks in an SMTP session, translated into the gateway's errors by when it breaks."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiosmtplib

from app.messages import failures
from app.messages.failures import Reply
from app.upstream.redaction import Redact


@contextmanager
def nothing_sent(redact: Redact) -> Iterator[None]:
    """Translate what can break while the relay has nothing of the message; `redact` masks secrets in its texts."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        if error.code < 0:
            raise failures.malformed() from None
        raise failures.unavailable("it does not take part", Reply.of(error.code, redact(error.message))) from None
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        raise failures.unavailable(_reason(error)) from None


@contextmanager
def fate_unknown(message_id: str) -> Iterator[None]:
    """Translate what can break once the message has begun to leave."""
    try:
        yield
    except aiosmtplib.SMTPResponseException:
        raise failures.outcome_unknown(message_id, "it answered with something that is not SMTP") from None
    except aiosmtplib.SMTPTimeoutError:
        raise failures.outcome_unknown(message_id, "time ran out") from None
    except (aiosmtplib.SMTPException, OSError):
        raise failures.outcome_unknown(message_id, "the connection broke") from None


def _reason(error: BaseException) -> str:
    # The library's own messages quote the host; the cause says enough.
    causes = (error, error.__cause__)
    known = (reason for kinds, reason in _REASONS if any(isinstance(cause, kinds) for cause in causes))
    return next(known, "the connection broke")


_REASONS: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (ssl.SSLError, "TLS failed"),
    (aiosmtplib.SMTPConnectTimeoutError, "no connection in time"),
    (aiosmtplib.SMTPTimeoutError, "no reply in time"),
    ((socket.gaierror, UnicodeError), "its name cannot be resolved"),
    (aiosmtplib.SMTPConnectError, "cannot connect"),
    (aiosmtplib.SMTPServerDisconnected, "the connection broke"),
    (aiosmtplib.SMTPException, "it does not offer STARTTLS"),
)
