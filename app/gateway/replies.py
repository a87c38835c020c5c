"""Reading a whole reply: status, envelope, decoding, and what is told of a reply that is not what was promised."""

from datetime import tzinfo

from app.gateway.failures import check_status, created_without_id, unusable
from app.gateway.operation import In, Operation, Out
from app.upstream.document import Document, MissingId, UnexpectedForm
from app.upstream.envelope import WireReply, open_document, unwrap
from app.upstream.redaction import Redact


def read_reply(
    operation: Operation[In, Out], request: In, reply: WireReply, zone: tzinfo, redact: Redact
) -> tuple[Out, Document]:
    """Return what a reply means, and the document for its drift.

    Args:
        operation: what was asked.
        request: with which input.
        reply: what came back.
        zone: the platform's time zone.
        redact: masks the request's secrets in what is told of the reply.

    Raises:
        GatewayError: the platform refused, failed, or did not answer as promised.
    """
    check_status(operation, reply.status, reply.headers)
    try:
        document = open_document(reply, zone, plain_text=operation.root is None, redact=redact)
        unwrap(document, operation.name, operation.root)
        return operation.decode(document, request), document
    except MissingId:
        raise created_without_id(operation) from None
    except UnexpectedForm as error:
        raise unusable(operation, redact(str(error))) from None
