"""Endpoints of templates."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.api.deps import ReadCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.responses import created, no_content, read_back
from app.api.types import Id, ShortText
from app.gateway.pages import Collection
from app.resources.templates import operations
from app.resources.templates.bodies import FORM, JSON, NewAttachmentsBody, NewTemplateBody
from app.resources.templates.schemas import (
    NewTemplate,
    NewTemplateAttachmentsForm,
    NewTemplateForm,
    Template,
    TemplateChanges,
    TemplateReview,
)

router = resource_router("/v1/templates", "Templates")

Search = Annotated[ShortText | None, Query(description="Part of a name or a subject, in whatever case.")]
TemplateId = Annotated[Id, Path(description="The template's id.", examples=[255201])]
AttachmentId = Annotated[Id, Path(description="The attachment's id.", examples=[190001])]


@router.get("", **documents(operations.LIST, summary="List templates", response_model=Collection[Template]))
async def list_templates(call: ReadCall, q: Search = None) -> Response:
    """Return all templates with their contents, or those whose name or a subject contains `q`; they cannot be paged."""
    return await call.read_containing(operations.LIST, q, "name", "subjects")


@router.post(
    "",
    **documents(
        operations.CREATE,
        summary="Create a template",
        response_model=Template,
        status_code=201,
        bodies={JSON: NewTemplate, FORM: NewTemplateForm},
    ),
)
async def create_template(call: WriteCall, body: NewTemplateBody) -> Response:
    """Create a template, with files or without; the platform then reviews it.

    The platform answers no more than the template's id, so the attachments' ids and the times are null here.
    """
    template = await call.run(operations.CREATE, body)
    await call.watch("template", template.id)
    return created(template, f"/v1/templates/{template.id}")


@router.get("/{template_id}", **documents(operations.GET, summary="Get a template", response_model=Template))
async def get_template(template_id: TemplateId, call: ReadCall) -> Response:
    """Return one template."""
    return await call.read(operations.GET, template_id)


@router.get(
    "/{template_id}/review",
    **documents(operations.REVIEW, summary="Get a template's review", response_model=TemplateReview),
)
async def get_template_review(template_id: TemplateId, call: ReadCall) -> Response:
    """Return how far the platform's review of a template is, what it found, and how large the message is."""
    return await call.read(operations.REVIEW, template_id)


@router.patch(
    "/{template_id}",
    **documents(operations.EDIT, summary="Change a template", response_model=Template, read_back=True),
)
async def edit_template(template_id: TemplateId, body: TemplateChanges, call: WriteCall) -> Response:
    """Change the fields given and return the template as it now is; `subjects` replaces all subjects.

    The platform takes `text` and `encoding` only together with `name`, `subjects` or `html`.
    """
    await call.run(operations.EDIT, operations.EditTemplate(template_id, body))
    await call.watch("template", template_id)
    return await read_back(call.run(operations.GET, template_id))


@router.delete("/{template_id}", **documents(operations.DELETE, summary="Delete a template", status_code=204))
async def delete_template(template_id: TemplateId, call: WriteCall) -> Response:
    """Delete a template with its attachments."""
    await call.run(operations.DELETE, template_id)
    return no_content()


@router.post(
    "/{template_id}/attachments",
    **documents(
        operations.ADD_ATTACHMENTS,
        summary="Attach files to a template",
        response_model=Template,
        status_code=201,
        read_back=True,
        bodies={FORM: NewTemplateAttachmentsForm},
    ),
)
async def add_template_attachments(template_id: TemplateId, call: WriteCall, files: NewAttachmentsBody) -> Response:
    """Attach one file or several to a template and return the template, which shows the attachments' ids."""
    await call.run(operations.ADD_ATTACHMENTS, operations.AddAttachments(template_id, files))
    reading = call.run(operations.GET, template_id)
    return await read_back(reading, status=201, headers={"Location": f"/v1/templates/{template_id}"})


@router.delete(
    "/{template_id}/attachments/{attachment_id}",
    **documents(operations.DELETE_ATTACHMENTS, summary="Delete an attachment", status_code=204),
)
async def delete_template_attachment(template_id: TemplateId, attachment_id: AttachmentId, call: WriteCall) -> Response:
    """Delete one attachment of a template."""
    request = operations.DeleteAttachments(template_id, attachment_id)
    await call.run(operations.DELETE_ATTACHMENTS, request)
    return no_content()


@router.delete(
    "/{template_id}/attachments",
    **documents(operations.DELETE_ATTACHMENTS, summary="Delete all attachments", status_code=204),
)
async def delete_template_attachments(template_id: TemplateId, call: WriteCall) -> Response:
    """Delete all attachments of a template and keep the template."""
    await call.run(operations.DELETE_ATTACHMENTS, operations.DeleteAttachments(template_id))
    return no_content()
