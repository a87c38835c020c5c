"""Upstream operations of imports (manual 4.9.3, 4.9.4 and 4.15)."""

from dataclasses import dataclass
from datetime import datetime

from app.gateway.checks import IMPORT_ID, NOTHING, Check, same
from app.gateway.operation import RUNNING, CachePolicy, DeadlineClass, Effect, Operation, by, no_parameters
from app.gateway.pages import Collection
from app.resources.imports.schemas import Import, ImportAccepted, ImportFile, ImportRecord, SkippedRows
from app.upstream.document import Document
from app.upstream.envelope import Parameters
from app.upstream.multipart import StoredFile
from app.upstream.records import Element, Record
from app.upstream.values import code, integer, local_time

_SCRIPT = "mloperate.php"
_TAGS = frozenset({"imports"})

_STATES = {1: "completed", -1: "failed", -2: "failed", -3: "failed"}

_RECORD = Record(
    ImportRecord,
    {
        "filename": Element("filename"),
        "list_name": Element("subject"),
        "imported_at": Element("time_import", convert=local_time),
        "total_count": Element("count_all", convert=integer),
        "invalid_count": Element("count_err_1", convert=integer),
        "duplicate_count": Element("count_err_2", convert=integer),
        "status": Element("status", convert=code(_STATES)),
        "status_code": Element("status", convert=integer),
    },
    # A path on the platform's own disk is nobody else's business.
    ignored=frozenset({"filepath"}),
)

_LOG = Record(
    Collection[ImportRecord],
    {},
    ignored=frozenset({"status"}),
    nested={"data": (("data", "address_log"), _RECORD)},
)


@dataclass(frozen=True, slots=True)
class NewImport:
    """A file of contacts for one list."""

    list_id: int
    file: ImportFile


def _encode_new(request: NewImport) -> Parameters:
    file = request.file
    upload = StoredFile("file", file.name, file.content_type, file.content, file.size)
    return Parameters(query={"list_id": str(request.list_id)}, upload=upload)


def _accepted(document: Document, request: NewImport) -> ImportAccepted:
    counts = request.file.counts
    return ImportAccepted(
        id=document.created_id(),
        list_id=request.list_id,
        accepted=counts.accepted if counts else None,
        duplicates=counts.duplicates if counts else None,
        skipped=SkippedRows(
            count=counts.skipped if counts else 0,
            lines=list(counts.skipped_lines) if counts else [],
        ),
    )


def _import(document: Document, import_id: int) -> Import:
    if document.status == "success":
        return Import(id=import_id, status="completed")
    if document.status == "no_complete":
        return Import(id=import_id, status="processing")
    return Import(id=import_id, status="unknown")


def _imports(document: Document, _request: None) -> Collection[ImportRecord]:
    return document.record(_LOG)


def _is_worked_off(_import_id: int, found: Import, _now: datetime) -> bool:
    return found.status == "completed"


_PROGRESS: CachePolicy[int, Import] = CachePolicy(lifetime=1.0, stale_while_revalidate=0.0, settled=_is_worked_off)

CREATE = Operation(
    name="imports.create",
    section="4.9.3",
    script=_SCRIPT,
    do="ml-addr-add-file",
    encode=_encode_new,
    decode=_accepted,
    effect=Effect.WRITE,
    deadline=DeadlineClass.UPLOAD,
    tags=_TAGS | {"contacts", "lists"},
    find_out="`GET /v1/imports` shows whether the file has arrived, by its name and time.",
)

GET = Operation(
    name="imports.get",
    section="4.9.4",
    script=_SCRIPT,
    do="ml-addr-add-file-query",
    encode=by("id"),
    decode=_import,
    effect=Effect.READ,
    tags=_TAGS,
    cache=_PROGRESS,
)

LIST = Operation(
    name="imports.list",
    section="4.15",
    script=_SCRIPT,
    do="ml-addr-add-log",
    encode=no_parameters,
    decode=_imports,
    effect=Effect.READ,
    tags=_TAGS,
    cache=RUNNING,
)

CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/imports"),
    Check(operation=GET, by=IMPORT_ID, ask=same, path="/v1/imports/{}"),
)
