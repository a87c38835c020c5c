"""Upstream operations of subscriptions (manual 4.13 and 4.14)."""

from dataclasses import dataclass

from app.api.contact_rows import is_one_address
from app.errors import FieldError, ValidationFailed
from app.gateway.operation import DeadlineClass, Effect, Operation
from app.resources.contacts.schemas import Subscriber, SubscriptionsAccepted, UnsubscriptionsAccepted
from app.upstream.document import Document
from app.upstream.envelope import Parameters
from app.upstream.values import text

_SCRIPT = "mloperate.php"
_SUBSCRIBING_TAGS = frozenset({"contacts", "lists", "unsubscribes"})


@dataclass(frozen=True, slots=True)
class Subscribe:
    """People who subscribe to one list."""

    list_id: int
    subscribers: list[Subscriber]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Addresses that leave one list, and texts beside them that are no address."""

    list_id: int
    emails: list[str]
    refused: list[str]

    @classmethod
    def of(cls, list_id: int, emails: list[str]) -> "Unsubscribe":
        """Return the request; one odd text keeps nobody else from leaving."""
        addresses = [email for email in emails if is_one_address(email)]
        if not addresses:
            errors = [
                FieldError("body", f"/emails/{place}", "email_address", "must be one address")
                for place in range(len(emails))
            ]
            raise ValidationFailed("None of the texts is an address.", errors)
        return cls(list_id, addresses, [email for email in emails if not is_one_address(email)])


def _encode_subscribe(request: Subscribe) -> Parameters:
    query = {"list_id": str(request.list_id)}
    subscriber = request.subscribers[0]
    if len(request.subscribers) == 1 and (subscriber.name or "").isascii():
        # Only `maillist` is promised to be read from a body, which says in which character set it is.
        query["address"] = subscriber.email
        return Parameters(query={**query, "name": subscriber.name} if subscriber.name else query)
    return Parameters(query=query, form={"maillist": "\n".join(map(_line, request.subscribers))})


def _line(subscriber: Subscriber) -> str:
    # Format 2: neither a tab nor a line break can stand in a name or an address.
    return f"{subscriber.email}\t{subscriber.name}" if subscriber.name else subscriber.email


def _encode_unsubscribe(request: Unsubscribe) -> Parameters:
    return Parameters(query={"list_id": str(request.list_id)}, form={"address": "\n".join(request.emails)})


def _subscribed(document: Document, request: Subscribe) -> SubscriptionsAccepted:
    return SubscriptionsAccepted(accepted=len(request.subscribers), upstream_message=document.leaf("data", text))


def _unsubscribed(document: Document, request: Unsubscribe) -> UnsubscriptionsAccepted:
    return UnsubscriptionsAccepted(
        accepted=len(request.emails), refused=request.refused, upstream_message=document.leaf("data", text)
    )


SUBSCRIBE = Operation(
    name="subscriptions.subscribe",
    section="4.13",
    script=_SCRIPT,
    do="ml-sub",
    encode=_encode_subscribe,
    decode=_subscribed,
    # Not idempotent: repeated late, it brings back somebody who has unsubscribed in between.
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_SUBSCRIBING_TAGS,
    find_out="`GET /v1/lists/{list_id}/contacts?q=` with the address shows whether it is there.",
)

UNSUBSCRIBE = Operation(
    name="subscriptions.unsubscribe",
    section="4.14",
    script=_SCRIPT,
    do="ml-unsub",
    encode=_encode_unsubscribe,
    decode=_unsubscribed,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_SUBSCRIBING_TAGS,
    find_out="`GET /v1/lists/{list_id}/unsubscribes/export` shows who has left; unsubscribing again is safe.",
)
