"""The one forward path of a request to the platform."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from typing import Protocol

from app.gateway.admission import Attempt, Attempts, Deadline
from app.gateway.clock import PlatformClock, write_time
from app.gateway.context import Caller, RequestContext
from app.gateway.failures import Called, check_status, created_without_id, transport_error, unusable
from app.gateway.operation import DeadlineClass, Effect, Export, In, Operation, Out
from app.gateway.streaming import RowStream, read_ahead, rows_of
from app.policies.cache.model import Cache
from app.upstream.client import ReplyTooLarge, Timeouts, UpstreamClient
from app.upstream.document import Document, Drift, MissingId, UnexpectedForm
from app.upstream.envelope import Parameters, WireReply, WireRequest, address, open_document, secrets_of, unwrap
from app.upstream.exports import ExportReader
from app.upstream.redaction import Redact, Redactor
from app.upstream.wire import TransportFailure


class DriftObserver(Protocol):
    """Told of replies that are not what they should be."""

    def drifted(self, operation: str, drift: frozenset[Drift]) -> None:
        """Called when a reply departed from the form that was expected."""


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """What keeps an export, whose size has no limit, within bounds."""

    idle_timeout: float
    record_length: int


@dataclass(frozen=True, slots=True)
class CallTimeouts:
    """How long calls may take, in seconds."""

    connect: float
    deadlines: Mapping[DeadlineClass, float]

    def deadline(self, operation: Called, context: RequestContext | None) -> Deadline:
        """Return when a call must be over: by its class, or earlier where the caller asks for that."""
        usual = asyncio.get_running_loop().time() + self.deadlines[operation.deadline]
        if context is None or context.deadline is None or context.deadline >= usual:
            return Deadline(usual)
        return Deadline(context.deadline, hurried=True)


class Gateway:
    """Calls operations of the platform on behalf of tenants."""

    def __init__(
        self,
        client: UpstreamClient,
        attempts: Attempts,
        cache: Cache,
        *,
        clock: PlatformClock,
        waits: CallTimeouts,
        observer: DriftObserver,
        export_limits: ExportLimits,
    ) -> None:
        self._client = client
        self._attempts = attempts
        self._cache = cache
        self._clock = clock
        self._waits = waits
        self._observer = observer
        self._export_limits = export_limits

    async def call(self, operation: Operation[In, Out], request: In, caller: Caller) -> Out:
        """Carry out one operation: encode, admit, send with the tenant's credentials, unwrap, decode.

        A read is fetched anew. A change makes what it may have changed
        invalid, before it leaves and again whatever it ends in.

        Raises:
            GatewayError: anything that kept the platform from answering as promised.
        """
        parameters = operation.encode(request)
        deadline = self._waits.deadline(operation, caller.context)
        if operation.effect is Effect.READ:
            return await self.fetch(operation, request, parameters, caller, deadline)
        seconds = deadline.at - asyncio.get_running_loop().time()
        async with self._cache.changing(caller.tenant.id, operation.tags, seconds):
            await caller.context.before_sending()
            return await self.fetch(operation, request, parameters, caller, deadline)

    async def fetch(
        self, operation: Operation[In, Out], request: In, parameters: Parameters, caller: Caller, deadline: Deadline
    ) -> Out:
        """Have an operation carried out by the platform, in as many tries as are safe.

        Raises:
            GatewayError: what the last try ended in.
        """

        async def once(number: int) -> Out:
            async with self._attempts.one(operation, caller, deadline, number) as attempt:
                wire = _wire(operation, self._timed(parameters, caller), caller, attempt)
                try:
                    reply = await self._client.send(wire, self._timeouts(attempt.deadline))
                except TransportFailure as failure:
                    raise transport_error(operation, failure) from failure
                except ReplyTooLarge:
                    raise unusable(operation, "more bytes than the gateway reads into memory") from None
                attempt.status = reply.status
                self._clock.heard(caller.tenant.upstream.base_url, reply.headers.get("date"))
                redact = _redact(operation, parameters, caller)
                return await read_reply(operation, request, reply, self._clock.zone, redact, self._report)

        return await self._attempts.run(operation, caller, deadline, once)

    @asynccontextmanager
    async def export(
        self, export: Export[In], request: In, caller: Caller, deadline: Deadline | None = None
    ) -> AsyncIterator[RowStream]:
        """Begin an export; its first records have come, or its end, when this gives them.

        What is wrong by then is raised here; what goes wrong later, as the same errors, by the iteration of the rows.
        Leaving, whether at the end or before, frees the connection to the platform.

        Raises:
            GatewayError: anything that kept the platform from answering as promised.
        """
        parameters = export.encode(request)
        until = deadline or self._waits.deadline(export, caller.context)

        async def begin(number: int) -> tuple[AsyncExitStack, RowStream]:
            async with AsyncExitStack() as stack:
                attempt = await stack.enter_async_context(self._attempts.one(export, caller, until, number))
                rows = await stack.enter_async_context(self._rows(export, parameters, caller, attempt, until))
                attempt.answered()
                return stack.pop_all(), rows

        stack, rows = await self._attempts.run(export, caller, until, begin)
        async with stack:
            yield rows

    @asynccontextmanager
    async def _rows(
        self, export: Export[In], parameters: Parameters, caller: Caller, attempt: Attempt, deadline: Deadline
    ) -> AsyncIterator[RowStream]:
        document = Document("", None, self._clock.zone, redact=_redact(export, parameters, caller))
        try:
            async with self._client.stream(
                _wire(export, parameters, caller, attempt), self._timeouts(deadline.at)
            ) as reply:
                attempt.status = reply.status
                check_status(export, reply.status, reply.headers)
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

    def _timed(self, parameters: Parameters, caller: Caller) -> Parameters:
        """Write the time into parameters that tell when they leave."""
        if parameters.time is None:
            return parameters
        time = write_time(self._clock.soon(caller.tenant.upstream.base_url))
        return replace(parameters, form={**(parameters.form or {}), parameters.time: time})

    def _timeouts(self, until: float) -> Timeouts:
        left = until - asyncio.get_running_loop().time()
        return Timeouts(self._waits.connect, max(left, 0.0), self._export_limits.idle_timeout)

    def _report(self, operation: str, document: Document) -> None:
        if document.drift:
            self._observer.drifted(operation, frozenset(document.drift))


def _wire(operation: Called, parameters: Parameters, caller: Caller, attempt: Attempt) -> WireRequest:
    context, trace = caller.context, attempt.trace
    traceparent = context.traceparent if trace is None else trace.traceparent
    headers = {"X-Request-ID": context.request_id, "traceparent": traceparent}
    wire = address(operation.script, operation.do, parameters, caller.tenant.upstream, headers)
    if trace is not None:
        trace.sent(wire.method, wire.url)
    return wire


def _redact(operation: Called, parameters: Parameters, caller: Caller) -> Redact:
    return Redactor(partial(secrets_of, parameters, operation.secret_fields, caller.tenant.upstream))


_LARGE = 64 * 1024
"""Bytes of a reply that may take too long to be read on the event loop."""


async def read_reply(
    operation: Operation[In, Out],
    request: In,
    reply: WireReply,
    zone: tzinfo,
    redact: Redact,
    report: Callable[[str, Document], None],
) -> Out:
    """Return what a reply means; `report` is told of the document, for its drift, also where it is refused.

    Raises:
        GatewayError: the platform refused, failed, or did not answer as promised.
    """
    check_status(operation, reply.status, reply.headers)
    document = Document("", None, zone, redact=redact)
    try:
        if len(reply.body) > _LARGE:
            return await asyncio.to_thread(_decoded, operation, request, reply, document)
        return _decoded(operation, request, reply, document)
    except MissingId:
        raise created_without_id(operation) from None
    except UnexpectedForm as error:
        raise unusable(operation, redact(str(error))) from None
    finally:
        report(operation.name, document)


def _decoded(operation: Operation[In, Out], request: In, reply: WireReply, document: Document) -> Out:
    open_document(reply, document, plain_text=operation.root is None)
    unwrap(document, operation.name, operation.root)
    return operation.decode(document, request)
