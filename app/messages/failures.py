"""What a relay's failures mean to the caller; the words say whether anything was sent and whether to try again."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.errors import (
    OutcomeUnknown,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.messages.models import Rejection
from app.messages.session import NoConnection, NoConnectionInTime, NotSmtp, SessionLost
from app.texts import sentence

OPERATION = "messages.submit"

_RETRY_AFTER = "5"
_LONGEST_TEXT = 300
_LISTED = 10
_LOGIN_REFUSED = sentence("it refused the tenant's SMTP login")
_UNPRINTABLE = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    """What the relay answered to one command: the status code and its text, made fit to be shown."""

    code: int
    text: str

    @classmethod
    def of(cls, code: int, text: str) -> "RelayAnswer":
        """Take a reply as it came: control characters and bytes that are not UTF-8 become spaces, and it is cut."""
        return cls(code, _UNPRINTABLE.sub(" ", text).strip()[:_LONGEST_TEXT])

    @property
    def temporary(self) -> bool:
        """Whether the relay may answer otherwise later."""
        return 400 <= self.code < 500

    def answer(self) -> UpstreamAnswer:
        """Return the reply as problem documents show it."""
        return UpstreamAnswer(OPERATION, status=str(self.code), message=self.text or None)


def unavailable(reason: str, reply: RelayAnswer | None = None) -> UpstreamUnavailable:
    """Describe a relay that could not be used before it had any of the message."""
    return UpstreamUnavailable(
        sentence("The SMTP relay could not be used: {reason}. Nothing was sent; trying again is safe.", reason=reason),
        upstream=reply.answer() if reply else UpstreamAnswer(OPERATION, message=reason),
        headers={"Retry-After": _RETRY_AFTER},
    )


def malformed() -> UpstreamMalformed:
    """Describe a server that does not speak SMTP."""
    reason = "the reply is not SMTP"
    return UpstreamMalformed(
        sentence("The SMTP relay cannot be used: {reason}. Nothing was sent.", reason=reason),
        upstream=UpstreamAnswer(OPERATION, message=reason),
    )


def login_refused(code: int | None = None, reason: str = _LOGIN_REFUSED) -> UpstreamCredentialsRejected:
    """Describe a login that failed. The relay's text may quote what it was sent, so only its code is told."""
    status = None if code is None else str(code)
    return UpstreamCredentialsRejected(
        sentence("The SMTP relay cannot be used: {reason}. Nothing was sent.", reason=reason),
        upstream=UpstreamAnswer(OPERATION, status=status),
    )


def refused(what: str, reply: RelayAnswer) -> UpstreamRejected:
    """Describe a refusal of the sender or of the message."""
    return UpstreamRejected(
        sentence(
            "The SMTP relay refused {what}: {answer}. {advice}",
            what=what,
            answer=f"{reply.code} {reply.text}".rstrip(),
            advice=_advice(reply.temporary),
        ),
        upstream=reply.answer(),
    )


def all_refused(rejections: Sequence[Rejection]) -> UpstreamRejected:
    """Describe the refusal of every recipient."""
    listed = "; ".join(f"{each.email}: {each.code} {each.message}".rstrip() for each in rejections[:_LISTED])
    more = sentence("; and {count} more", count=len(rejections) - _LISTED) if len(rejections) > _LISTED else ""
    first = RelayAnswer(rejections[0].code, rejections[0].message)
    temporary = all(400 <= each.code < 500 for each in rejections)
    return UpstreamRejected(
        sentence(
            "The SMTP relay refused every recipient ({listed}{more}). {value}",
            listed=listed,
            more=more,
            value=_advice(temporary),
        ),
        upstream=first.answer(),
    )


def outcome_unknown(message_id: str, reason: str) -> OutcomeUnknown:
    """Describe a message that began to leave and was never acknowledged."""
    return OutcomeUnknown(
        sentence(
            "The message was being handed to the SMTP relay when {reason}, so whether it was "
            "accepted is not known. It is not sent again. Look for the Message-ID {message_id} in "
            "the relay's log or a recipient's mailbox.",
            reason=reason,
            message_id=message_id,
        ),
        upstream=UpstreamAnswer(OPERATION, message=reason),
    )


def sent_before(message_id: str | None) -> OutcomeUnknown:
    """Describe a message whose idempotency key belongs to one that may have been handed over."""
    return OutcomeUnknown(
        sentence(
            "The first request with this key was handed to the SMTP relay, and what became of it "
            "is not known any more. It is not sent again. Look for the Message-ID {message_id} in "
            "the relay's log or a recipient's mailbox.",
            message_id=message_id,
        ),
        upstream=UpstreamAnswer(OPERATION, message="sent before"),
    )


def _advice(temporary: bool) -> str:
    if temporary:
        return sentence("Nothing was sent; the refusal is temporary, and trying again later is safe.")
    return sentence("Nothing was sent.")


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Translate what can break while the relay has nothing of the message."""
    try:
        yield
    except NotSmtp:
        raise malformed() from None
    except (SessionLost, OSError, UnicodeError) as error:
        raise unavailable(_reason(error)) from None


@contextmanager
def fate_unknown(message_id: str) -> Iterator[None]:
    """Translate what can break once the message has begun to leave."""
    try:
        yield
    except NotSmtp:
        raise outcome_unknown(message_id, "it answered with something that is not SMTP") from None
    except TimeoutError:
        raise outcome_unknown(message_id, "time ran out") from None
    except (SessionLost, OSError):
        raise outcome_unknown(message_id, "the connection broke") from None


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
