"""The one way of a message to the tenant's relay (manual, chapter 10)."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from app.errors import Conflict, GatewayError
from app.gateway.admission import Observer
from app.gateway.context import Caller, UpstreamCall
from app.gateway.sends import Sends, new_attempt
from app.messages import failures
from app.messages.mime import ascii_address, compose, domain_of
from app.messages.models import Envelope, Message, Rejection, SubmissionReceipt
from app.messages.pool import RelayPool
from app.storage.database.statements import Work
from app.storage.events import log as event_log
from app.storage.events.log import NewEvent
from app.storage.writes.models import DuplicateKey
from app.tenants.models import SmtpAccount, is_loopback

log = structlog.get_logger(__name__)


class Submitter:
    """Submits messages on behalf of tenants. No message is ever handed over twice."""

    def __init__(
        self, pool: RelayPool, sends: Sends, *, deadline: float, now: Callable[[], datetime], observer: Observer
    ) -> None:
        self._pool = pool
        self._sends = sends
        self._deadline = deadline
        self._now = now
        self._observer = observer
        self._warned: set[tuple[str, str]] = set()

    async def submit(self, message: Message, caller: Caller) -> SubmissionReceipt:
        """Hand a message to the tenant's relay, once.

        Raises:
            Conflict: the tenant has no relay.
            UpstreamUnavailable, UpstreamMalformed: the relay could not be used; nothing was sent.
            UpstreamCredentialsRejected: the relay refused the tenant's login; nothing was sent.
            UpstreamRejected: the relay refused the sender, every recipient, or the message; nothing was sent.
            OutcomeUnknown: the message began to leave, and the relay did not say what became of it.
            StateUnavailable: the journal cannot be written; nothing was sent.
        """
        account = caller.tenant.smtp
        if account is None:
            raise Conflict("This tenant has no SMTP relay; the gateway's operator can configure one.")
        self._warn_of_clear_password(caller.tenant.id, account)
        trace = caller.context.trace.calling(failures.OPERATION, 1) if caller.context.trace is not None else None
        started = time.perf_counter()
        outcome, status = "aborted", None
        try:
            receipt = await self._submit(message, caller, account)
            outcome, status = "ok", 250
        except GatewayError as error:
            outcome, status = error.code, _status_of(error)
            raise
        finally:
            call = UpstreamCall(failures.OPERATION, outcome, status, time.perf_counter() - started)
            caller.context.upstream_calls.append(call)
            self._observer.exchanged(call)
            if trace is not None:
                trace.ended(call)
        return receipt

    async def _submit(self, message: Message, caller: Caller, account: SmtpAccount) -> SubmissionReceipt:
        envelope = await self._envelope(message)
        message_id = envelope.message_id
        fingerprint = hashlib.sha256(message_id.encode()).hexdigest()
        attempt = new_attempt(failures.OPERATION, fingerprint, {"message_id": message_id}, caller)
        try:
            async with self._sends.sending(attempt, caller) as sent:
                await caller.context.before_sending()
                receipt = await self._hand_over(envelope, caller.tenant.id, account)
                await sent.confirmed(message_id, [_told(receipt, caller.tenant.id)])
        except DuplicateKey as duplicate:
            raise failures.sent_before(duplicate.earlier.request.get("message_id")) from None
        return receipt

    async def _hand_over(self, envelope: Envelope, tenant_id: str, account: SmtpAccount) -> SubmissionReceipt:
        try:
            async with asyncio.timeout(self._deadline), self._pool.connection(tenant_id, account) as connection:
                rejections = await connection.submit(envelope)
        except TimeoutError:
            if envelope.begun:
                raise failures.outcome_unknown(envelope.message_id, "time ran out") from None
            raise failures.unavailable("time ran out") from None
        return _receipt(envelope, rejections)

    async def _envelope(self, message: Message) -> Envelope:
        sender = ascii_address(message.sender.email)
        message_id = f"<{uuid.uuid4().hex}@{domain_of(sender)}>"
        # Ten megabytes of attachments take a noticeable while to encode.
        content = await asyncio.to_thread(compose, message, message_id, self._now())
        recipients: dict[str, str] = {}
        for spelling in message.recipients():
            recipients.setdefault(ascii_address(spelling), spelling)
        return Envelope(message_id, sender, recipients, content)

    def _warn_of_clear_password(self, tenant_id: str, account: SmtpAccount) -> None:
        exposed = account.password is not None and account.security == "none" and not is_loopback(account.host)
        if exposed and (tenant_id, account.host) not in self._warned:
            self._warned.add((tenant_id, account.host))
            log.warning("smtp_password_sent_in_clear", tenant=tenant_id, reason="the relay's security is none")

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._pool.aclose()


def _told(receipt: SubmissionReceipt, tenant: str) -> Work[None]:
    rejected = [{"email": each.email, "code": each.code, "message": each.message} for each in receipt.rejected]
    message = {"message_id": receipt.message_id, "accepted": list(receipt.accepted), "rejected": rejected}
    event = NewEvent(
        type="message.submitted",
        resource=f"message/{receipt.message_id}",
        data=json.dumps(message, ensure_ascii=False, separators=(",", ":")),
    )
    return partial(event_log.telling, tenant, event)


def _receipt(envelope: Envelope, rejections: list[Rejection]) -> SubmissionReceipt:
    refused = {rejection.email for rejection in rejections}
    accepted = tuple(spelling for spelling in envelope.recipients.values() if spelling not in refused)
    return SubmissionReceipt(envelope.message_id, accepted, tuple(rejections))


def _status_of(error: GatewayError) -> int | None:
    answer = getattr(error, "upstream", None)
    return int(answer.status) if answer is not None and answer.status else None
