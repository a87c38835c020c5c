"""Public models of imports."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import ConfigDict, Field, RootModel
from typing_extensions import TypeAliasType

from app.api.contact_rows import CONTACT_EXAMPLE, ContactRow
from app.api.files import UploadName
from app.api.types import PublicModel, RequestModel

OnInvalid = Literal["reject", "skip"]
ImportStatus = TypeAliasType(
    "ImportStatus",
    Annotated[
        Literal["completed", "processing", "unknown"],
        Field(description="Whether the platform has worked an import off."),
    ],
)
ImportOutcome = TypeAliasType(
    "ImportOutcome",
    Annotated[Literal["completed", "failed", "unknown"], Field(description="What became of an import.")],
)


class ContactsJson(RequestModel):
    """Contacts as one JSON document."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contacts": [CONTACT_EXAMPLE, {"email": "zhang.wei@example.com"}]}]}
    )

    contacts: Annotated[list[ContactRow], Field(min_length=1, description="The contacts, any number of them.")]


class UncheckedContacts(RequestModel):
    """The same document with rows that have yet to be checked, each for itself."""

    contacts: Annotated[list[Any], Field(min_length=1)]


class ContactsNdjson(RootModel[str]):
    """One contact a line, each written as in JSON."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": ['{"email": "li.na@example.com", "name": "李娜"}\n{"email": "zhang.wei@example.com"}\n']
        }
    )


class ContactsCsv(RootModel[str]):
    """A header row with any of email, name, sex, birthday, phone, area and var1 to var10, then a row per contact.

    Cells are separated by commas. The text is UTF-8, or GBK or GB 18030 when the media type's `charset` says so.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": ["email,name,sex,var1\nli.na@example.com,李娜,female,gold\n"]}
    )


class ContactsFile(RequestModel):
    """A file in the platform's own form: one contact a line, sixteen columns separated by semicolons.

    It is passed on as it is, under its own name; nothing in it is checked.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"file": "li.na@example.com;李娜;F\n"}]})

    file: Annotated[str, Field(json_schema_extra={"format": "binary"}, description="The file.")]


class FileName(RequestModel):
    """What is checked of a file that is passed on as it is."""

    file: UploadName


class SkippedRows(PublicModel):
    """Rows that were refused and left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"count": 2, "lines": [17, 1204]}]})

    count: Annotated[int, Field(description="How many there are.")]
    lines: Annotated[
        list[int],
        Field(description="The first 100: line numbers in CSV and NDJSON, positions from 1 in a JSON array."),
    ]


class ImportAccepted(PublicModel):
    """An import that the platform took in and works off later."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 71601,
                    "list_id": 418801,
                    "accepted": 1998,
                    "duplicates": 3,
                    "skipped": {"count": 2, "lines": [17, 1204]},
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The import's id.")]
    list_id: Annotated[int, Field(description="The contact list's id.")]
    accepted: Annotated[
        int | None,
        Field(description="Rows handed to the platform, duplicates included; null for a file passed on as it is."),
    ]
    duplicates: Annotated[
        int | None,
        Field(
            description="Accepted rows whose address stands in an earlier row, in any case; the platform keeps the "
            "last. Addresses are told apart by 64-bit hashes: the count is exact but for a chance of one in millions. "
            "null for a file passed on as it is."
        ),
    ]
    skipped: Annotated[SkippedRows, Field(description="Rows that were left out.")]


class Import(PublicModel):
    """How far the platform has come with an import."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 71601, "status": "processing"}]})

    id: Annotated[int, Field(description="The import's id.")]
    status: Annotated[ImportStatus, Field(description="Whether the platform has worked it off.")]


class ImportRecord(PublicModel):
    """An entry in the platform's log of imports; the platform gives it no id."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "filename": "contacts.txt",
                    "list_name": "Newsletter 北京",
                    "imported_at": "2026-03-02T09:30:00+08:00",
                    "total_count": 1998,
                    "invalid_count": 4,
                    "duplicate_count": 12,
                    "status": "completed",
                    "status_code": 1,
                }
            ]
        }
    )

    filename: Annotated[str | None, Field(description="The file's name.")]
    list_name: Annotated[str | None, Field(description="The contact list's name.")]
    imported_at: Annotated[datetime | None, Field(description="When it was taken in.")]
    total_count: Annotated[int | None, Field(description="Rows in all.")]
    invalid_count: Annotated[int | None, Field(description="Rows whose address the platform did not take.")]
    duplicate_count: Annotated[int | None, Field(description="Rows whose address was in the list already.")]
    status: Annotated[ImportOutcome | None, Field(description="What became of it.")]
    status_code: Annotated[int | None, Field(description="The platform's own code.")]


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows of a body.

    Args:
        duplicates: those of them whose address stands in an earlier row.
    """

    accepted: int
    duplicates: int
    skipped: int
    skipped_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file of contacts in the platform's line form.

    Args:
        counts: what became of the rows it was made from; None for a file passed on as it is.
    """

    name: str
    content_type: str
    content: BinaryIO = field(repr=False)
    size: int
    counts: RowCounts | None = None
