"""What a reply decodes to, without its values: to tell whether another one decodes to the same."""

import re
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, ClassVar

from pydantic import BaseModel

from app.doctor.findings import NotRecordable
from app.errors import GatewayError, NotFound, UpstreamFailure
from app.gateway.checks import AnyCheck, ExportCheck
from app.gateway.operation import Export
from app.upstream.document import Document, Drift, UnexpectedForm
from app.upstream.envelope import WireReply, open_document, unwrap
from app.upstream.exports import ExportReader
from app.upstream.faults import FAULTS, SUCCESS, is_refusal, status_word
from app.upstream.listed import Listed
from app.upstream.values import Convert, Enumeration

_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
_STATUS_PATH = "result/status"
_PORTION = 65_536


@dataclass(slots=True)
class WatchedDocument(Document):
    """A document that remembers which of its elements hold words from a fixed set."""

    takes_short_cuts: ClassVar[bool] = False

    enumerations: dict[str, Enumeration] = field(default_factory=dict)

    def convert(self, node: Any, convert: Convert, path: str) -> Any:
        """Read a leaf."""
        if isinstance(convert, Enumeration):
            self.enumerations[path] = convert
        return Document.convert(self, node, convert, path)

    def knows(self, path: str, value: str) -> bool:
        """Tell whether an element's text is one that the gateway knows."""
        if path == _STATUS_PATH:
            word = status_word(value)
            return word in SUCCESS or (_WORD.fullmatch(word) is not None and is_refusal(word, ""))
        return path in self.enumerations and self.enumerations[path].knows(value)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a reply decodes to."""

    shape: Any
    drift: frozenset[Drift]
    document: WatchedDocument

    def resembles(self, other: "Decoded") -> bool:
        """Tell whether another reply decodes to the same structure with the same drift."""
        return self.shape == other.shape and self.drift == other.drift


def decode(check: AnyCheck, request: Any, reply: WireReply, zone: tzinfo) -> Decoded:
    """Decode a whole reply as the gateway does.

    Raises:
        NotRecordable: it is not well-formed, so that where its values are cannot be told.
    """
    document = WatchedDocument("", None, zone)
    shape: Any
    try:
        if isinstance(check, ExportCheck):
            shape = [shape_of(row) for row in _rows(check.operation, reply, document)]
        else:
            open_document(reply, document, plain_text=check.operation.root is None)
            unwrap(document, check.operation.name, check.operation.root)
            shape = shape_of(check.operation.decode(document, request))
    except GatewayError as error:
        shape = _error_shape(error)
    except UnexpectedForm as error:
        _check_well_formed(reply)
        shape = str(error)
    return Decoded(shape, frozenset(document.drift), document)


def _rows(export: Export[Any], reply: WireReply, document: WatchedDocument) -> list[Any]:
    reader = ExportReader(
        export.source,
        operation=export.name,
        content_type=reply.headers.get("content-type", ""),
        document=document,
        max_length=len(reply.body) + 1,
    )
    for start in range(0, len(reply.body), _PORTION):
        reader.feed(reply.body[start : start + _PORTION])
    reader.end()
    rows: list[Any] = []
    while (taken := reader.take()) is not None:
        rows += taken
    return rows


def _check_well_formed(reply: WireReply) -> None:
    try:
        open_document(reply, WatchedDocument("", None, UTC), plain_text=True)
    except UnexpectedForm:
        raise NotRecordable("it is not well-formed, so where its values are cannot be told") from None


def shape_of(value: Any) -> Any:
    """Return a value's structure: the fields of models, the items of lists, the types of all else."""
    if isinstance(value, BaseModel):
        return {name: shape_of(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list | Listed):
        return [shape_of(each) for each in value]
    return type(value).__name__


def _error_shape(error: GatewayError) -> tuple[str, str | None]:
    told = error.upstream if isinstance(error, UpstreamFailure | NotFound) else None
    status = told.status if told else None
    return error.code, status if status in FAULTS else None
