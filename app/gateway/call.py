"""The one forward path of a request to the platform."""

import time
from collections.abc import Mapping
from datetime import tzinfo
from typing import Protocol

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamQuotaExhausted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from app.gateway.context import Caller, UpstreamCall
from app.gateway.operation import DeadlineClass, Effect, In, Operation, Out
from app.upstream.client import NeverSent, ReplyTooLarge, Timeouts, TransportFailure, UpstreamClient
from app.upstream.document import Drift, UnexpectedForm
from app.upstream.envelope import Parameters, WireReply, address, open_document, secrets_of, unwrap
from app.upstream.redaction import Redact, redactor


class Observer(Protocol):
    """Told of every exchange with the platform."""

    def exchanged(self, call: UpstreamCall) -> None:
        """Called once an exchange has ended, well or badly."""

    def drifted(self, operation: str, drift: frozenset[Drift]) -> None:
        """Called when a reply departed from the form that was expected."""


class Gateway:
    """Calls operations of the platform on behalf of tenants.

    Args:
        client: the transport.
        zone: the platform's time zone.
        connect_timeout: seconds to wait for a connection.
        deadlines: total seconds per deadline class.
        observer: told of exchanges and drift.
    """

    def __init__(
        self,
        client: UpstreamClient,
        *,
        zone: tzinfo,
        connect_timeout: float,
        deadlines: Mapping[DeadlineClass, float],
        observer: Observer,
    ) -> None:
        self._client = client
        self._zone = zone
        self._connect_timeout = connect_timeout
        self._deadlines = deadlines
        self._observer = observer

    async def call(self, operation: Operation[In, Out], request: In, caller: Caller) -> Out:
        """Carry out one operation: encode, send with the tenant's credentials, unwrap, decode.

        Raises:
            GatewayError: anything that kept the platform from answering as promised.
        """
        parameters = operation.encode(request)
        exchange = _Exchange(operation.name, time.perf_counter())
        try:
            reply = await self._send(operation, parameters, caller)
            exchange.status = reply.status
            redact = redactor(secrets_of(parameters, operation.secret_fields, caller.tenant.upstream))
            result = self._read(operation, request, reply, redact)
            exchange.outcome = "ok"
        except GatewayError as error:
            exchange.outcome = error.code
            raise
        finally:
            self._observer.exchanged(exchange.ended(caller))
        return result

    async def _send(self, operation: Operation[In, Out], parameters: Parameters, caller: Caller) -> WireReply:
        wire = address(operation.script, operation.do, parameters, caller.tenant.upstream)
        wire = wire.with_headers(_trace_headers(caller))
        timeouts = Timeouts(self._connect_timeout, self._deadlines[operation.deadline])
        try:
            return await self._client.send(wire, timeouts)
        except TransportFailure as failure:
            raise _transport_error(operation, failure) from failure
        except ReplyTooLarge:
            raise _unusable(operation, "more bytes than the gateway reads into memory") from None

    def _read(self, operation: Operation[In, Out], request: In, reply: WireReply, redact: Redact) -> Out:
        _check_status(operation, reply)
        try:
            document = open_document(reply, self._zone, plain_text=operation.root is None, redact=redact)
            unwrap(document, operation.name, operation.root)
            result = operation.decode(document, request)
        except UnexpectedForm as error:
            raise _unusable(operation, redact(str(error))) from None
        if document.drift:
            self._observer.drifted(operation.name, frozenset(document.drift))
        return result


class _Exchange:
    def __init__(self, operation: str, started: float) -> None:
        self.operation, self.started = operation, started
        self.outcome = "aborted"
        self.status: int | None = None

    def ended(self, caller: Caller) -> UpstreamCall:
        call = UpstreamCall(self.operation, self.outcome, self.status, time.perf_counter() - self.started)
        caller.context.upstream_calls.append(call)
        return call


def _trace_headers(caller: Caller) -> dict[str, str]:
    headers = {"X-Request-ID": caller.context.request_id}
    if caller.context.traceparent:
        headers["traceparent"] = caller.context.traceparent
    return headers


def _transport_error(operation: Operation[In, Out], failure: TransportFailure) -> GatewayError:
    answer = UpstreamAnswer(operation.name, message=failure.reason)
    if isinstance(failure, NeverSent):
        return UpstreamUnavailable(
            f"The platform could not be reached: {failure.reason}. Nothing was sent; trying again is safe.",
            upstream=answer,
            headers={"Retry-After": "5"},
        )
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer)
    if failure.timed_out:
        return UpstreamTimeout("The platform did not answer in time.", upstream=answer)
    return UpstreamError(f"The platform did not answer: {failure.reason}.", upstream=answer)


def _check_status(operation: Operation[In, Out], reply: WireReply) -> None:
    if 200 <= reply.status < 300:
        return
    answer = UpstreamAnswer(operation.name, status=str(reply.status))
    if reply.status == 401:
        raise UpstreamCredentialsRejected("The platform refused the tenant's U-Mail login.", upstream=answer)
    if reply.status == 429:
        retry_after = reply.headers.get("retry-after")
        headers = {"Retry-After": retry_after} if retry_after and retry_after.isdecimal() else {}
        raise UpstreamQuotaExhausted("The platform asks for fewer calls.", upstream=answer, headers=headers)
    if reply.status >= 500 and operation.effect is not Effect.READ:
        raise _outcome_unknown(operation, answer)
    raise UpstreamError(f"The platform answered HTTP {reply.status}.", upstream=answer)


def _unusable(operation: Operation[In, Out], reason: str) -> GatewayError:
    answer = UpstreamAnswer(operation.name, message=reason)
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer)
    return UpstreamMalformed(f"The platform's reply cannot be used: {reason}.", upstream=answer)


def _outcome_unknown(operation: Operation[In, Out], answer: UpstreamAnswer) -> GatewayError:
    return OutcomeUnknown(
        f"The request was sent, but whether the platform carried it out is not known. {operation.find_out}",
        upstream=answer,
    )
