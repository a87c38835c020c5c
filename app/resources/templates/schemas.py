"""Public models of templates."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from app.api.files import Base64, UploadName
from app.api.types import Changes, DocumentText, Example, Name, PublicModel, RequestModel, described

MAX_FILES = 20
MAX_SUBJECTS = 100
TemplateEncoding = TypeAliasType(
    "TemplateEncoding", Annotated[Literal["base64", "quoted-printable"], Field(description="How messages are encoded.")]
)
ReviewStatus = TypeAliasType(
    "ReviewStatus",
    Annotated[Literal["checking", "rejected", "approved", "unknown"], Field(description="How far a review is.")],
)
ReviewColour = TypeAliasType(
    "ReviewColour",
    Annotated[
        Literal["green", "yellow", "red_pass", "red", "unknown"],
        Field(description="A review's verdict; only `red` is rejected."),
    ],
)
SizeStatus = TypeAliasType(
    "SizeStatus",
    Annotated[Literal["counting", "counted", "unknown"], Field(description="Whether a message's size is known.")],
)

_PLAIN = "What is shown where HTML cannot be."
_HTML = "<h1>春季新品</h1><p>您好，欢迎选购。</p>"
_EXAMPLE: Example = {
    "name": "Spring 2026",
    "subjects": ["春季新品上市", "Spring is here"],
    "html": _HTML,
    "text": "春季新品：您好，欢迎选购。",
}


def _unbarred(value: str) -> str:
    if "|" in value:
        raise PydanticCustomError("separator", "must not contain |, which separates a template's subjects")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return value


Subjects = Annotated[
    list[Annotated[Name, AfterValidator(_unbarred), described(without="|", visible="")]],
    Field(min_length=1, max_length=MAX_SUBJECTS, description="One subject or several."),
]
Visible = Annotated[DocumentText, AfterValidator(_not_blank), described(lines=True, visible="")]
Html = Annotated[Visible, Field(description="The message.")]
PlainText = Annotated[DocumentText, Field(description=_PLAIN)]


class TemplateAttachment(PublicModel):
    """A file attached to a template."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 190001, "name": "价目表.pdf"}]})

    id: Annotated[int | None, Field(description="null right after creation, when the platform does not tell it.")]
    name: Annotated[str | None, Field(description="The file's name.")]


class Template(PublicModel):
    """A template of messages."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 255201,
                    "name": "Spring 2026",
                    "subjects": ["春季新品上市", "Spring is here"],
                    "html": _HTML,
                    "content": _HTML,
                    "content_type": "html",
                    "attachments": [{"id": 190001, "name": "价目表.pdf"}],
                    "created_at": "2026-03-01T09:30:00+08:00",
                    "updated_at": "2026-03-02T10:00:00+08:00",
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The template's id.")]
    name: Annotated[str | None, Field(description="The template's name; recipients do not see it.")]
    subjects: Annotated[list[str], Field(description="Its subjects, of which each message gets one.")]
    html: Annotated[str | None, Field(description="The message as HTML.")]
    content: Annotated[
        str | None,
        Field(description="The same as `html`, under its former name.", json_schema_extra={"deprecated": True}),
    ]
    content_type: Annotated[str | None, Field(description="The platform's own word for the kind of content.")]
    attachments: Annotated[list[TemplateAttachment], Field(description="Files attached to the template.")]
    created_at: Annotated[datetime | None, Field(description="When it was made.")]
    updated_at: Annotated[datetime | None, Field(description="When it was last changed.")]


class TemplateReview(PublicModel):
    """What the platform's review of a template has found; only an approved template can be sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 255201,
                    "name": "Spring 2026",
                    "subject": "春季新品上市",
                    "status": "approved",
                    "status_code": 1,
                    "colour": "green",
                    "size_kb": 78,
                    "size_status": "counted",
                    "size_status_code": 1,
                    "updated_at": "2026-03-02T10:00:00+08:00",
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The template's id.")]
    name: Annotated[str | None, Field(description="The template's name.")]
    subject: Annotated[str | None, Field(description="The template's first subject.")]
    status: Annotated[ReviewStatus | None, Field(description="How far the review is.")]
    status_code: Annotated[int | None, Field(description="The platform's own code of the status.")]
    colour: Annotated[
        ReviewColour | None,
        Field(description="The review's verdict; null while it runs. Only `red` is rejected."),
    ]
    size_kb: Annotated[float | None, Field(description="Size of the real message; settled once it is counted.")]
    size_status: Annotated[SizeStatus | None, Field(description="Whether the size is known.")]
    size_status_code: Annotated[int | None, Field(description="The platform's own code of `size_status`.")]
    updated_at: Annotated[datetime | None, Field(description="When the template was last changed.")]


class NewTemplateAttachment(RequestModel):
    """A file to attach."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filename": "价目表.txt", "content_base64": "5Lu355uu6KGo"}]}
    )

    filename: Annotated[UploadName, Field(description="The file's name.")]
    content: Annotated[Base64, Field(alias="content_base64", description="The file's content.")]


class TemplateContent(RequestModel):
    """What a new template consists of, attachments aside."""

    name: Annotated[Name, Field(description="The template's name; recipients do not see it.")]
    subjects: Subjects
    html: Html
    text: Annotated[PlainText | None, Field(description="What is shown where HTML cannot be.")] = None
    encoding: Annotated[
        TemplateEncoding | None, Field(description="How messages are encoded; the platform's choice if null.")
    ] = None


class NewTemplate(TemplateContent):
    """A template to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**_EXAMPLE, "attachments": [{"filename": "价目表.txt", "content_base64": "5Lu355uu6KGo"}]},
                _EXAMPLE,
            ]
        }
    )

    attachments: Annotated[list[NewTemplateAttachment], Field(max_length=MAX_FILES)] = Field(
        default_factory=list, description="Files attached to the template."
    )


Files = Annotated[
    list[NewTemplateAttachment],
    Field(
        description="Each a part with a file name.",
        json_schema_extra={"items": {"type": "string", "contentMediaType": "application/octet-stream"}},
    ),
]


def _as_form(schema: dict[str, Any]) -> None:
    schema["examples"] = [{**_EXAMPLE, "file": ["价目表"]}]
    # A form has no null: a field that is null stands not in it.
    for name, field in schema["properties"].items():
        if "anyOf" in field:
            (only,) = (each for each in field["anyOf"] if each != {"type": "null"})
            rest = {key: value for key, value in field.items() if key != "anyOf"}
            schema["properties"][name] = {**only, **rest}


class NewTemplateForm(TemplateContent):
    """A template to create as a form; `subjects` and `file` may stand several times."""

    model_config = ConfigDict(json_schema_extra=_as_form)

    file: Annotated[Files, Field(max_length=MAX_FILES)] = Field(default_factory=list)


class NewTemplateAttachmentsForm(RequestModel):
    """Files to attach, as a form; `file` may stand several times."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"file": ["价目表"]}]})

    file: Annotated[Files, Field(min_length=1, max_length=MAX_FILES)]


class TemplateChanges(Changes):
    """The fields of a template to change; `text` and `encoding` only together with another one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"subjects": ["春季新品上市"]}, {"html": _HTML, "text": "春季新品"}],
            # Said as a choice of required fields, it would make generators give up.
            "not": {"propertyNames": {"enum": ["text", "encoding"]}},
        }
    )

    name: Annotated[Name, Field(description="The new name.")] = ""
    subjects: Subjects = Field(default_factory=list)
    html: Html = ""
    text: Annotated[Visible, Field(description=_PLAIN)] = ""
    encoding: Annotated[TemplateEncoding, Field(description="How messages are encoded.")] = "base64"

    def model_post_init(self, context: Any) -> None:
        """Refuse a change that the platform refuses (manual 5.6, remark 1).

        Raises:
            PydanticCustomError: none of the fields is given of which the platform needs one.
        """
        super().model_post_init(context)
        if self.model_fields_set.isdisjoint({"name", "subjects", "html"}):
            raise PydanticCustomError(
                "incomplete_change",
                "must name at least one of name, subjects and html; "
                "the platform changes text and encoding only together with one of them",
            )
