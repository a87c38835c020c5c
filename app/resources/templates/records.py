"""How the platform writes templates (manual 5.3 and 5.4)."""

from typing import Any

from app.api.types import PublicModel
from app.resources.templates.schemas import Template, TemplateAttachment, TemplateReview
from app.upstream.records import Combined, Element, Record
from app.upstream.values import code, in_units, integer, local_time, number, word


class _Subject(PublicModel):
    name: str | None


def _texts(subjects: list[dict[str, Any]]) -> list[str]:
    # Their ids lead nowhere.
    return [subject["name"] for subject in subjects if subject["name"]]


TEMPLATE_RECORD = Record(
    Template,
    {
        "id": Element("id", convert=integer, required=True),
        "name": Element("name"),
        "html": Element("content"),
        "content": Element("content"),
        "content_type": Element("content_type"),
        "created_at": Element("created", convert=local_time),
        "updated_at": Element("updated", convert=local_time),
    },
    ignored=frozenset({"user_id"}),
    nested={
        "subject_records": (("subject",), Record(_Subject, {"name": Element("name")}, ignored=frozenset({"id"}))),
        "attachments": (
            ("attachments", "attachment"),
            Record(TemplateAttachment, {"id": Element("atta_id", convert=integer), "name": Element("atta_name")}),
        ),
    },
    combined={"subjects": Combined(_texts, "subject_records")},
)

REVIEW_RECORD = Record(
    TemplateReview,
    {
        "id": Element("id", convert=integer, required=True),
        "name": Element("name"),
        "subject": Element("subject"),
        "status": Element("status", convert=code({-1: "checking", 0: "rejected", 1: "approved"})),
        "status_code": Element("status", convert=integer),
        "colour": Element("colour", convert=word({"green", "yellow", "red_pass", "red"})),
        "size_kb": Element("size", convert=in_units(number, "KB", "K")),
        "size_status": Element("size_status", convert=code({-1: "counting", 1: "counted"})),
        "size_status_code": Element("size_status", convert=integer),
        "updated_at": Element("update_date", convert=local_time),
    },
)
