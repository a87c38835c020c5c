"""Deliveries of events as the OpenAPI document describes them, under `webhooks`."""

from collections.abc import Mapping
from typing import Any

from app.resources.events.schemas import EXAMPLE, TYPES

_RESOURCES = {
    "campaign": "Campaign",
    "template": "TemplateReview",
    "import": "Import",
    "domain": "DomainVerification",
    "message": "SubmittedMessage",
    "webhook": "Webhook",
}
_SUMMARIES = {
    "campaign.created": "A campaign was created",
    "campaign.started": "A campaign is being sent",
    "campaign.progressed": "A campaign has got further",
    "campaign.finished": "A campaign was sent",
    "campaign.held": "A campaign was held or paused",
    "campaign.cancelled": "A campaign was cancelled",
    "template.approved": "A template was approved",
    "template.rejected": "A template was rejected",
    "import.completed": "An import was worked off",
    "import.failed": "An import failed",
    "domain.verified": "A domain was verified",
    "message.submitted": "A message was submitted",
    "webhook.test": "A webhook is tested",
    "webhook.disabled": "A webhook was disabled",
}
_SIGNED = {
    "webhook-id": ("The event's id; the same in every attempt.", EXAMPLE["id"]),
    "webhook-timestamp": ("When it was sent, in seconds since 1970.", "1772415072"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256 of id, timestamp and body, joined by dots, in base64; several with blanks between.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_DESCRIPTION = "Delivered as Standard Webhooks says. Any 2xx answer within 15 seconds takes it."


def described_webhooks(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deliveries of each type, with examples made of those of the resources."""
    return {type_: {"post": _operation(type_, schemas)} for type_ in TYPES}


def _operation(type_: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    resource = _RESOURCES[type_.partition(".")[0]]
    example = {**EXAMPLE, "type": type_, "data": schemas[resource]["examples"][0], "previous": None}
    properties = {
        "type": {"const": type_, "description": "What has happened."},
        "data": {"$ref": f"#/components/schemas/{resource}"},
    }
    schema = {"allOf": [{"$ref": "#/components/schemas/Event"}, {"type": "object", "properties": properties}]}
    return {
        "tags": ["Webhooks"],
        "operationId": f"receive_{type_.replace('.', '_')}",
        "summary": _SUMMARIES[type_],
        "description": _DESCRIPTION,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": example_,
            }
            for name, (description, example_) in _SIGNED.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"2XX": {"description": "The event has arrived"}},
        "security": [],
    }
