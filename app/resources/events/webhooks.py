"""Endpoints of webhooks and their deliveries."""

import secrets
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from fastapi import Path, Query
from pydantic import StringConstraints
from starlette.responses import Response

from app.api.deps import Call, WebhookCall, resource_router
from app.api.documentation import WITH_KEY, describes
from app.api.problems import problem_responses
from app.api.responses import PageRequestDep, answer, created, no_content, page
from app.errors import Conflict, FieldError, NotFound, ValidationFailed
from app.gateway.operation import Effect
from app.gateway.pages import Collection, Page, pagination
from app.resources.events.webhook_schemas import (
    CreatedWebhook,
    NewWebhook,
    Webhook,
    WebhookChanges,
    WebhookDelivery,
    WebhookDeliveryStatus,
    created_webhook,
    delivery_of,
    webhook_of,
)
from app.storage.database.statements import Steps
from app.storage.events import deliveries, watching, webhooks
from app.storage.events.deliveries import DeliveryRecord
from app.storage.events.log import NewEvent, appending, number_of
from app.storage.events.signatures import new_secret, seal_first, seal_next
from app.storage.events.webhooks import WebhookRecord
from app.tenants.vault import Vault
from app.texts import sentence

router = resource_router("/v1/webhooks", "Webhooks")

_MOST = 50
_OVERLAP = 86_400.0
_WANTED_SECONDS = 120.0
"""Until a watcher says it again."""
_READS: dict[str, Any] = {
    "responses": problem_responses(NotFound, ValidationFailed),
    "openapi_extra": describes(Effect.READ, {}),
}


def _changes(effect: Effect = Effect.IDEMPOTENT_WRITE) -> dict[str, Any]:
    errors = (NotFound, ValidationFailed, Conflict, *WITH_KEY)
    return {"responses": problem_responses(*errors), "openapi_extra": describes(effect, {})}


WebhookId = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,64}$"),
    Path(description="The webhook's id.", examples=["wh_3f6c1b9a7d2e4c58"]),
]
DeliveryId = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,64}$"),
    Path(description="The id of the event that is delivered.", examples=["evt_0642a8c1f3e9c0a1b2c3d4"]),
]


@router.get("", summary="List webhooks", response_model=Collection[Webhook], **_READS)
async def list_webhooks(call: WebhookCall) -> Response:
    """Return all webhooks, oldest first."""
    found = await call.services.writes.reading(partial(webhooks.listing, call.caller.tenant.id))
    return answer(Collection[Webhook](data=[webhook_of(each, _zone(call)) for each in found]))


@router.post("", summary="Create a webhook", response_model=CreatedWebhook, status_code=201, **_changes(Effect.WRITE))
async def create_webhook(body: NewWebhook, call: WebhookCall) -> Response:
    """Have events of some types posted to a URL from now on, signed as Standard Webhooks says.

    The secret that they are signed with is shown in this answer alone. A receiver answers 2xx within 15 seconds; what
    it does not take is attempted again for three days, ever less often. Each event comes at least once, and those of
    one resource in their order. A webhook that fails for three days is disabled. No redirect is followed.
    """
    vault, tenant = _vault(call), call.caller.tenant
    _check_url(call, body.url)
    name, secret = f"wh_{secrets.token_hex(8)}", new_secret()
    sealed = seal_first(vault, tenant.id, name, secret)

    def steps() -> Steps[WebhookRecord | None]:
        rate = tenant.events.requests_per_minute
        yield from watching.wanting(tenant.id, seconds=_WANTED_SECONDS, requests_per_minute=rate)
        return (yield from webhooks.adding(tenant.id, name, body.url, body.types, body.description, sealed, most=_MOST))

    await call.caller.context.before_sending()
    record = await call.services.writes.transaction(steps)
    if record is None:
        raise Conflict(sentence("There are {most} webhooks; no tenant has more.", most=_MOST))
    return created(created_webhook(record, secret.get_secret_value(), _zone(call)), f"/v1/webhooks/{record.id}")


@router.get("/{webhook_id}", summary="Get a webhook", response_model=Webhook, **_READS)
async def get_webhook(webhook_id: WebhookId, call: WebhookCall) -> Response:
    """Return one webhook, without its secret."""
    return answer(webhook_of(await _found(call, webhook_id), _zone(call)))


@router.patch("/{webhook_id}", summary="Change a webhook", response_model=Webhook, **_changes())
async def edit_webhook(webhook_id: WebhookId, body: WebhookChanges, call: WebhookCall) -> Response:
    """Change the fields given. What is on its way to a webhook that is disabled waits until it is enabled again."""
    if "url" in body.model_fields_set:
        _check_url(call, body.url)
    changes = body.model_dump(exclude_unset=True)
    await call.caller.context.before_sending()
    record = await call.services.writes.transaction(
        partial(webhooks.changing, call.caller.tenant.id, webhook_id, changes)
    )
    return answer(webhook_of(_known(record, webhook_id), _zone(call)))


@router.delete("/{webhook_id}", summary="Delete a webhook", status_code=204, **_changes())
async def delete_webhook(webhook_id: WebhookId, call: WebhookCall) -> Response:
    """Delete a webhook and what is on its way to it."""
    await call.caller.context.before_sending()
    if not await call.services.writes.transaction(partial(webhooks.removing, call.caller.tenant.id, webhook_id)):
        raise _missing(webhook_id)
    return no_content()


@router.post(
    "/{webhook_id}/secret", summary="Change a webhook's secret", response_model=CreatedWebhook, **_changes(Effect.WRITE)
)
async def rotate_webhook_secret(webhook_id: WebhookId, call: WebhookCall) -> Response:
    """Give a webhook a new secret, shown in this answer alone. For 24 hours both sign."""
    vault, tenant = _vault(call), call.caller.tenant.id
    present = await call.services.writes.reading(partial(webhooks.secrets_of, tenant, webhook_id))
    if present is None:
        raise _missing(webhook_id)
    secret = new_secret()
    sealed = seal_next(vault, tenant, webhook_id, present, secret)
    await call.caller.context.before_sending()
    record = await call.services.writes.transaction(
        partial(webhooks.rotating, tenant, webhook_id, sealed, seconds=_OVERLAP)
    )
    return answer(created_webhook(_known(record, webhook_id), secret.get_secret_value(), _zone(call)))


@router.post(
    "/{webhook_id}/test",
    summary="Send a test event",
    response_model=WebhookDelivery,
    status_code=202,
    **_changes(Effect.WRITE),
)
async def test_webhook(webhook_id: WebhookId, call: WebhookCall) -> Response:
    """Deliver an event `webhook.test` to one webhook, whichever types it wants. The deliveries show what came of it."""
    record, tenant = await _found(call, webhook_id), call.caller.tenant.id
    _check_enabled(record)
    data = orjson.dumps(webhook_of(record, _zone(call)).model_dump(mode="json")).decode()
    event = NewEvent(type="webhook.test", resource=f"webhook/{webhook_id}/test", data=data)

    def steps() -> Steps[DeliveryRecord | None]:
        number = yield from appending(tenant, [event], webhook=webhook_id)
        return (yield from deliveries.finding(tenant, webhook_id, number)) if number else None

    await call.caller.context.before_sending()
    return _accepted(call, await call.services.writes.transaction(steps))


@router.get("/{webhook_id}/deliveries", summary="List deliveries", response_model=Page[WebhookDelivery], **_READS)
async def list_deliveries(
    webhook_id: WebhookId,
    call: WebhookCall,
    pages: PageRequestDep,
    status: Annotated[WebhookDeliveryStatus | None, Query(description="Only deliveries in this state.")] = None,
) -> Response:
    """Return a webhook's deliveries with their attempts, newest first. They are kept as long as events."""
    await _found(call, webhook_id)
    tenant, offset = call.caller.tenant.id, (pages.page - 1) * pages.page_size
    found = await call.services.writes.reading(
        partial(deliveries.listing, tenant, webhook_id, status, offset=offset, limit=pages.page_size)
    )
    data = [delivery_of(each, tenant, _zone(call)) for each in found]
    body = Page[WebhookDelivery](data=data, pagination=pagination(pages, total=None, received=len(found)))
    return page(call.request, body)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retry",
    summary="Retry a delivery",
    response_model=WebhookDelivery,
    status_code=202,
    **_changes(Effect.WRITE),
)
async def retry_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, call: WebhookCall) -> Response:
    """Deliver an event again, be it delivered or given up; three days begin anew."""
    record, tenant = await _found(call, webhook_id), call.caller.tenant.id
    _check_enabled(record)
    number = number_of(tenant, delivery_id)
    if number is None:
        raise _no_delivery()
    await call.caller.context.before_sending()
    return _accepted(
        call, await call.services.writes.transaction(partial(deliveries.repeating, tenant, webhook_id, number))
    )


async def _found(call: Call, webhook: str) -> WebhookRecord:
    record = await call.services.writes.reading(partial(webhooks.finding, call.caller.tenant.id, webhook))
    return _known(record, webhook)


def _known(record: WebhookRecord | None, webhook: str) -> WebhookRecord:
    if record is None:
        raise _missing(webhook)
    return record


def _missing(webhook: str) -> NotFound:
    return NotFound(sentence("There is no webhook {webhook}.", webhook=webhook))


def _no_delivery() -> NotFound:
    return NotFound("There is no such delivery.")


def _accepted(call: Call, record: DeliveryRecord | None) -> Response:
    if record is None:
        raise _no_delivery()
    return answer(delivery_of(record, call.caller.tenant.id, _zone(call)), status=202)


def _check_enabled(record: WebhookRecord) -> None:
    if not record.enabled:
        raise Conflict("The webhook is disabled; enable it first.")


def _check_url(call: Call, url: str) -> None:
    """Refuse what will never be connected to; where a name leads is seen when it is."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in call.services.receivers:
        raise _refused("must be https")
    if not call.services.receivers[scheme].may_name(parts.hostname or ""):
        raise _refused("must be at a public address")


def _refused(reason: str) -> ValidationFailed:
    return ValidationFailed("1 field refused.", [FieldError("body", "/url", "receiver_url", reason)])


def _vault(call: Call) -> Vault:
    vault = call.services.vault
    if vault is None:
        raise Conflict("Webhooks need a master key that outlives the gateway; its operator can configure one.")
    return vault


def _zone(call: Call) -> Any:
    return call.services.platform_clock.zone
