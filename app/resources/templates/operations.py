"""Upstream operations of templates (manual 5.2 to 5.8)."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.gateway.checks import NOTHING, TEMPLATE_ID, Check, same
from app.gateway.operation import EDITED, RUNNING, DeadlineClass, Effect, Operation, acknowledged, by, no_parameters
from app.gateway.pages import Collection
from app.resources.templates.records import REVIEW_RECORD, TEMPLATE_RECORD
from app.resources.templates.schemas import (
    NewTemplateAttachment,
    Template,
    TemplateAttachment,
    TemplateChanges,
    TemplateContent,
    TemplateReview,
)
from app.texts import sentence
from app.upstream.document import Document
from app.upstream.envelope import Parameters
from app.upstream.multipart import File

_SCRIPT = "template.php"
_TAGS = frozenset({"templates"})
# What the manual's own example sends (5.2); the platform goes by the file's name.
_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class CreateTemplate:
    """A template to create, with its attachments."""

    content: TemplateContent
    attachments: Sequence[NewTemplateAttachment]


@dataclass(frozen=True, slots=True)
class EditTemplate:
    """Changes to one template."""

    template_id: int
    changes: TemplateChanges


@dataclass(frozen=True, slots=True)
class AddAttachments:
    """Files for one template."""

    template_id: int
    attachments: Sequence[NewTemplateAttachment]


@dataclass(frozen=True, slots=True)
class DeleteAttachments:
    """One attachment of a template, or all of them (`attachment_id` None)."""

    template_id: int
    attachment_id: int | None = None


def _files(attachments: Sequence[NewTemplateAttachment]) -> tuple[File, ...]:
    """Write files under the name that PHP reads one or several from (manual 5.2, parameter 6)."""
    name = "file" if len(attachments) == 1 else "file[]"
    return tuple(File(name, each.filename, _MEDIA_TYPE, each.content) for each in attachments)


def _encode_create(request: CreateTemplate) -> Parameters:
    content = request.content
    form = {"name": content.name, "subject": "|".join(content.subjects), "content": content.html}
    if content.text:
        form["text_content"] = content.text
    if content.encoding:
        form["encoding"] = content.encoding
    return Parameters(form=form, files=_files(request.attachments))


def _encode_edit(request: EditTemplate) -> Parameters:
    changes = request.changes
    written = {
        "name": ("name", changes.name),
        "subjects": ("subject", "|".join(changes.subjects)),
        "html": ("content", changes.html),
        "text": ("text_content", changes.text),
        "encoding": ("encoding", changes.encoding),
    }
    form = dict(pair for field, pair in written.items() if field in changes.model_fields_set)
    return Parameters(query={"tpl_id": str(request.template_id)}, form=form)


def _encode_add_attachments(request: AddAttachments) -> Parameters:
    return Parameters(query={"tpl_id": str(request.template_id)}, files=_files(request.attachments))


def _encode_delete_attachments(request: DeleteAttachments) -> Parameters:
    attachment = "all" if request.attachment_id is None else str(request.attachment_id)
    return Parameters(query={"tpl_id": str(request.template_id), "attachment_id": attachment})


def _templates(document: Document, _request: None) -> Collection[Template]:
    return Collection[Template](data=document.records("template", TEMPLATE_RECORD))


def _template(document: Document, template_id: int) -> Template:
    return document.one(
        "template",
        TEMPLATE_RECORD,
        template_id,
        missing=sentence("There is no template {template_id}.", template_id=template_id),
    )


def _review(document: Document, template_id: int) -> TemplateReview:
    document.expect_id(
        "id", template_id, missing=sentence("There is no template {template_id}.", template_id=template_id)
    )
    return document.record(REVIEW_RECORD)


def _created(document: Document, request: CreateTemplate) -> Template:
    content = request.content
    return Template(
        id=document.created_id(),
        name=content.name,
        subjects=content.subjects,
        html=content.html,
        content=content.html,
        content_type=None,
        attachments=[TemplateAttachment(id=None, name=attachment.filename) for attachment in request.attachments],
        created_at=None,
        updated_at=None,
    )


LIST = Operation(
    name="templates.list",
    section="5.4",
    script=_SCRIPT,
    do="list-tpl",
    root="template_list",
    encode=no_parameters,
    decode=_templates,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

GET = Operation(
    name="templates.get",
    section="5.4",
    script=_SCRIPT,
    do="list-tpl",
    root="template_list",
    encode=by("tpl_id"),
    decode=_template,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

REVIEW = Operation(
    name="templates.review",
    section="5.3",
    script=_SCRIPT,
    do="get-tpl-status",
    root="template",
    encode=by("tpl_id"),
    decode=_review,
    effect=Effect.READ,
    tags=_TAGS,
    cache=RUNNING,
)

CREATE = Operation(
    name="templates.create",
    section="5.2",
    script=_SCRIPT,
    do="add-tpl",
    # The manual promises the new id and no form for it, so it may also come bare.
    root=None,
    encode=_encode_create,
    decode=_created,
    effect=Effect.WRITE,
    deadline=DeadlineClass.UPLOAD,
    tags=_TAGS,
    find_out="`GET /v1/templates` shows whether the template is there.",
)

EDIT = Operation(
    name="templates.edit",
    section="5.6",
    script=_SCRIPT,
    do="edit-tpl",
    encode=_encode_edit,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/templates/{template_id}` shows the template as it is; sending the change again is safe.",
)

DELETE = Operation(
    name="templates.delete",
    section="5.5",
    script=_SCRIPT,
    do="del-tpl",
    encode=by("tpl_id"),
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/templates/{template_id}` shows whether the template is still there; deleting it again is safe.",
)

ADD_ATTACHMENTS = Operation(
    name="templates.add_attachments",
    section="5.7",
    script=_SCRIPT,
    do="tpl-attachment-add",
    encode=_encode_add_attachments,
    decode=acknowledged,
    effect=Effect.WRITE,
    deadline=DeadlineClass.UPLOAD,
    tags=_TAGS,
    find_out="`GET /v1/templates/{template_id}` shows which files are attached.",
)

DELETE_ATTACHMENTS = Operation(
    name="templates.delete_attachments",
    section="5.8",
    script=_SCRIPT,
    do="tpl-attachment-del",
    encode=_encode_delete_attachments,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/templates/{template_id}` shows which files are still attached; deleting again is safe.",
)


def _newest(templates: Collection[Template]) -> list[int]:
    return sorted((template.id for template in templates.data), reverse=True)


CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/templates", tells={TEMPLATE_ID: _newest}),
    Check(operation=GET, by=TEMPLATE_ID, ask=same, path="/v1/templates/{}"),
    Check(operation=REVIEW, by=TEMPLATE_ID, ask=same, path="/v1/templates/{}/review"),
)
