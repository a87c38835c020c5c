"""The body of an import, in any of the forms that it may take, as the file to upload."""

import asyncio
import io
from collections.abc import Iterator
from email.message import Message

from fastapi import Request

from app.api.handlers import field_error
from app.api.uploads import read_form, read_json, validated
from app.errors import FieldError, MalformedRequest, UnsupportedMediaType, ValidationFailed
from app.resources.imports.checking import checked_file, no_rows
from app.resources.imports.files import ImportFile
from app.resources.imports.rows import Row, csv_rows, json_rows, ndjson_rows
from app.resources.imports.schemas import FileName, OnInvalid, UncheckedContacts

MULTIPART, JSON, NDJSON, CSV = "multipart/form-data", "application/json", "application/x-ndjson", "text/csv"
MEDIA_TYPES = (MULTIPART, JSON, NDJSON, CSV)

_UTF_8 = {"utf-8": "utf-8-sig", "utf8": "utf-8-sig", "us-ascii": "utf-8-sig"}
# Whoever says GBK or GB2312 means whatever their Windows writes; GB 18030 contains both.
_CHINESE = {"gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}
_CHARSETS = {JSON: _UTF_8, NDJSON: _UTF_8, CSV: _UTF_8 | _CHINESE}


async def read_file(request: Request, on_invalid: OnInvalid) -> ImportFile:
    """Read a request's body; rows are checked and written in the platform's line form, a file passes as it is.

    Raises:
        UnsupportedMediaType: a media type or character set that is not taken.
        MalformedRequest: the body is not what its media type says.
        ValidationFailed: rows are refused, or there are none.
    """
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "")
    media_type = header.get_content_type() if header["Content-Type"] else ""
    if media_type == MULTIPART:
        return await _uploaded(request)
    charset = str(header.get_param("charset", "utf-8")).lower()
    encoding = _CHARSETS.get(media_type, {}).get(charset)
    if encoding is None:
        raise UnsupportedMediaType(
            f"The body must be {', '.join(MEDIA_TYPES)}, in UTF-8; CSV may also declare GBK or GB 18030.",
            headers={"Accept": ", ".join(MEDIA_TYPES)},
        )
    if not await request.body():
        raise no_rows()
    rows = await _rows(request, media_type, encoding)
    # A large body takes seconds to check, which other requests must not wait for.
    return await asyncio.to_thread(checked_file, rows, on_invalid)


async def _rows(request: Request, media_type: str, encoding: str) -> Iterator[Row]:
    if media_type == JSON:
        return json_rows((await read_json(request, UncheckedContacts)).contacts)
    text = _decoded(await request.body(), encoding)
    if media_type == NDJSON:
        # Only a line feed ends a line here: U+2028 and the like may stand in a JSON string.
        return ndjson_rows(io.StringIO(text, newline="\n"))
    return csv_rows(io.StringIO(text, newline=""))


def _decoded(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding == "utf-8-sig" else "GB 18030"
        line = body.count(b"\n", 0, error.start) + 1
        raise MalformedRequest(f"The body is not {name} text in line {line}.") from None


async def _uploaded(request: Request) -> ImportFile:
    form = await read_form(request, max_files=2)
    if form.fields:
        errors = [field_error(("body", name[:100]), "unknown_field", "is not a field") for name in form.fields]
        raise ValidationFailed("The form has unknown fields.", errors)
    if len(form.files) != 1:
        error = FieldError("body", "/file", "one_file", "must be exactly one file")
        raise ValidationFailed("The form must hold one file.", [error])
    (file,) = form.files
    if not file.content:
        raise no_rows()
    name = validated(FileName, {"file": file.filename}).file
    return ImportFile(name, file.content_type, file.content)
