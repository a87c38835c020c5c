"""Reading a whole reply: status, envelope, decoding, and what is told of a reply that is not what was promised."""

import asyncio
from collections.abc import Callable
from datetime import tzinfo

from app.gateway.failures import check_status, created_without_id, unusable
from app.gateway.operation import In, Operation, Out
from app.upstream.document import Document, MissingId, UnexpectedForm
from app.upstream.envelope import WireReply, open_document, unwrap
from app.upstream.redaction import Redact

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
