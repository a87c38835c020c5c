"""The beginning of an export that is too long to be kept whole: its first records, as a document of their own."""

import re

from app.doctor.errors import NotRecordable
from app.gateway.operation import Export
from app.upstream.encodings import encoding_of
from app.upstream.sources import TextLines, XmlRecords

_OPENING = 64


def beginning(export: Export[object], body: bytes, content_type: str, *, complete: bool, records: int) -> bytes:
    """Return as many whole records of an export as there are, at most some.

    Args:
        export: what was asked for.
        body: the reply as far as it has come.
        content_type: its Content-Type.
        complete: whether that is all.
        records: how many.

    Raises:
        NotRecordable: where its records end cannot be told.
    """
    source = export.source
    end = _record_end(source, body)
    if end is None or encoding_of(body, content_type) == "utf-16":
        if complete:
            return body
        raise NotRecordable("only its beginning is known, and not where a record ends")
    ends = [match.end() for match in re.finditer(end, body)]
    if complete and len(ends) <= records:
        return body
    closing = f"</{source.root}>".encode() if source.root else b""
    return body[: ends[:records][-1] if ends else 0] + closing


def _record_end(source: object, body: bytes) -> bytes | None:
    is_xml = body[:_OPENING].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if isinstance(source, XmlRecords):
        return rb"</%b\s*>\s*" % source.tag.encode() if is_xml else None
    return rb"\n" if isinstance(source, TextLines) and not is_xml else None
