"""The one forward path of a request to the platform."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from app.errors import GatewayError
from app.gateway.context import Caller, UpstreamCall
from app.gateway.failures import check_status, created_without_id, transport_error, unusable
from app.gateway.operation import DeadlineClass, Export, In, Operation, Out
from app.gateway.streaming import RowStream, read_ahead, rows_of
from app.upstream.client import ReplyTooLarge, Timeouts, TransportFailure, UpstreamClient
from app.upstream.document import Document, Drift, MissingId, UnexpectedForm
from app.upstream.envelope import Parameters, WireReply, WireRequest, address, open_document, secrets_of, unwrap
from app.upstream.exports import ExportReader
from app.upstream.redaction import Redact, redactor


class Observer(Protocol):
    """Told of every exchange with the platform."""

    def exchanged(self, call: UpstreamCall) -> None:
        """Called once an exchange has ended, well or badly."""

    def drifted(self, operation: str, drift: frozenset[Drift]) -> None:
        """Called when a reply departed from the form that was expected."""


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """What keeps an export, whose size has no limit, within bounds.

    Args:
        idle_timeout: seconds to wait for the platform's next bytes.
        record_length: characters that one record may have.
    """

    idle_timeout: float
    record_length: int


class Gateway:
    """Calls operations of the platform on behalf of tenants.

    Args:
        client: the transport.
        zone: the platform's time zone.
        connect_timeout: seconds to wait for a connection.
        deadlines: total seconds per deadline class.
        observer: told of exchanges and drift.
        export_limits: the bounds of exports.
    """

    def __init__(
        self,
        client: UpstreamClient,
        *,
        zone: tzinfo,
        connect_timeout: float,
        deadlines: Mapping[DeadlineClass, float],
        observer: Observer,
        export_limits: ExportLimits,
    ) -> None:
        self._client = client
        self._zone = zone
        self._connect_timeout = connect_timeout
        self._deadlines = deadlines
        self._observer = observer
        self._export_limits = export_limits

    async def call(self, operation: Operation[In, Out], request: In, caller: Caller) -> Out:
        """Carry out one operation: encode, send with the tenant's credentials, unwrap, decode.

        Raises:
            GatewayError: anything that kept the platform from answering as promised.
        """
        parameters = operation.encode(request)
        with self._exchange(operation.name, caller) as exchange:
            reply = await self._send(operation, parameters, caller)
            exchange.status = reply.status
            return self._read(operation, request, reply, _redact(operation, parameters, caller))

    @asynccontextmanager
    async def export(self, export: Export[In], request: In, caller: Caller) -> AsyncIterator[RowStream]:
        """Begin an export; its first records have come, or its end, when this gives them.

        What is wrong by then is raised here; what goes wrong later, as the same errors, by the iteration of the rows.
        Leaving, whether at the end or before, frees the connection to the platform.

        Raises:
            GatewayError: anything that kept the platform from answering as promised.
        """
        parameters = export.encode(request)
        with self._exchange(export.name, caller) as exchange:
            try:
                async with self._client.stream(_wire(export, parameters, caller), self._timeouts(export)) as reply:
                    exchange.status = reply.status
                    check_status(export, reply.status, reply.headers)
                    document = Document("", None, self._zone, redact=_redact(export, parameters, caller))
                    reader = self._reader(export, reply.headers, document)
                    async with read_ahead(rows_of(export, reply.chunks, reader, document), reply.deadline) as rows:
                        yield rows
            except TransportFailure as failure:
                raise transport_error(export, failure) from failure
            self._report(export.name, document)

    def _reader(self, export: Export[In], headers: Mapping[str, str], document: Document) -> ExportReader:
        return ExportReader(
            export.source,
            operation=export.name,
            content_type=headers.get("content-type", ""),
            document=document,
            max_length=self._export_limits.record_length,
        )

    @contextmanager
    def _exchange(self, operation: str, caller: Caller) -> Iterator["_Exchange"]:
        exchange = _Exchange(operation, time.perf_counter())
        try:
            yield exchange
            exchange.outcome = "ok"
        except GatewayError as error:
            exchange.outcome = error.code
            raise
        finally:
            self._observer.exchanged(exchange.ended(caller))

    def _timeouts(self, operation: Operation[In, Out] | Export[In]) -> Timeouts:
        return Timeouts(self._connect_timeout, self._deadlines[operation.deadline], self._export_limits.idle_timeout)

    async def _send(self, operation: Operation[In, Out], parameters: Parameters, caller: Caller) -> WireReply:
        try:
            return await self._client.send(_wire(operation, parameters, caller), self._timeouts(operation))
        except TransportFailure as failure:
            raise transport_error(operation, failure) from failure
        except ReplyTooLarge:
            raise unusable(operation, "more bytes than the gateway reads into memory") from None

    def _read(self, operation: Operation[In, Out], request: In, reply: WireReply, redact: Redact) -> Out:
        check_status(operation, reply.status, reply.headers)
        try:
            document = open_document(reply, self._zone, plain_text=operation.root is None, redact=redact)
            unwrap(document, operation.name, operation.root)
            result = operation.decode(document, request)
        except MissingId:
            raise created_without_id(operation) from None
        except UnexpectedForm as error:
            raise unusable(operation, redact(str(error))) from None
        self._report(operation.name, document)
        return result

    def _report(self, operation: str, document: Document) -> None:
        if document.drift:
            self._observer.drifted(operation, frozenset(document.drift))


class _Exchange:
    def __init__(self, operation: str, started: float) -> None:
        self.operation, self.started = operation, started
        self.outcome = "aborted"
        self.status: int | None = None

    def ended(self, caller: Caller) -> UpstreamCall:
        call = UpstreamCall(self.operation, self.outcome, self.status, time.perf_counter() - self.started)
        caller.context.upstream_calls.append(call)
        return call


def _wire(operation: Operation[In, Out] | Export[In], parameters: Parameters, caller: Caller) -> WireRequest:
    wire = address(operation.script, operation.do, parameters, caller.tenant.upstream)
    context = caller.context
    return wire.with_headers({"X-Request-ID": context.request_id, "traceparent": context.traceparent})


def _redact(operation: Operation[In, Out] | Export[In], parameters: Parameters, caller: Caller) -> Redact:
    return redactor(secrets_of(parameters, operation.secret_fields, caller.tenant.upstream))
