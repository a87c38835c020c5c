"""Request bodies of templates: JSON or a multipart form, read by hand."""

from typing import Annotated, Any

from fastapi import Depends, Request

from app.api.negotiation import is_json
from app.api.uploads import MultipartForm, media_type, read_form, read_json, validated
from app.errors import FieldError, UnsupportedMediaType, ValidationFailed
from app.resources.templates.operations import CreateTemplate
from app.resources.templates.schemas import (
    MAX_FILES,
    MAX_SUBJECTS,
    NewTemplate,
    NewTemplateAttachment,
    NewTemplateAttachmentsForm,
    NewTemplateForm,
)
from app.texts import sentence

FORM = "multipart/form-data"
JSON = "application/json"


async def read_new_template(request: Request) -> CreateTemplate:
    """Read a template to create.

    Raises:
        UnsupportedMediaType: neither JSON nor a multipart form.
        MalformedRequest: the body cannot be read.
        ValidationFailed: fields are refused.
    """
    if is_json(request.headers.get("content-type", "")):
        body = await read_json(request, NewTemplate)
        return CreateTemplate(body, body.attachments)
    if media_type(request) == FORM:
        form = validated(NewTemplateForm, await _read_values(request))
        return CreateTemplate(form, form.file)
    raise UnsupportedMediaType(
        sentence("The body must be {json} or {form}.", json=JSON, form=FORM), headers={"Accept": f"{JSON}, {FORM}"}
    )


async def read_new_attachments(request: Request) -> list[NewTemplateAttachment]:
    """Read files to attach.

    Raises:
        UnsupportedMediaType: not a multipart form.
        MalformedRequest: the form cannot be read.
        ValidationFailed: a file is refused, there is none, or there are other fields.
    """
    return validated(NewTemplateAttachmentsForm, await _read_values(request)).file


async def _read_values(request: Request) -> dict[str, Any]:
    # Some more than there can be, so that one too many is refused by its name.
    form = await read_form(request, max_files=MAX_FILES, max_fields=2 * MAX_SUBJECTS)
    if "file" in form.fields:
        error = FieldError("body", "/file", "missing_filename", "must be a file with a name")
        raise ValidationFailed("A file has no name.", [error])
    return {
        **_texts(form),
        "file": [{"filename": file.filename, "content_base64": file.content} for file in form.files],
    }


def _texts(form: MultipartForm) -> dict[str, Any]:
    return {
        name: values if name == "subjects" or len(values) > 1 else values[0] for name, values in form.fields.items()
    }


NewTemplateBody = Annotated[CreateTemplate, Depends(read_new_template)]
NewAttachmentsBody = Annotated[list[NewTemplateAttachment], Depends(read_new_attachments)]
