"""The body of an import, in any of the forms that it may take, as the file to upload."""

import asyncio
import codecs
import errno
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import BinaryIO, cast

import structlog
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from app.api.handlers import field_error
from app.api.negotiation import media_type_of
from app.api.uploads import OpenForm, open_form, validated
from app.errors import FieldError, MalformedRequest, Overloaded, UnsupportedMediaType, ValidationFailed
from app.policies.shedding import ByteBudget
from app.resources.imports.checking import RowChecker, no_rows, write_rows
from app.resources.imports.csv_table import CsvRows
from app.resources.imports.json_rows import JsonDocument, JsonLines
from app.resources.imports.rows import RowFormat
from app.resources.imports.schemas import FileName, ImportFile, OnInvalid
from app.services import ImportLimits
from app.texts import sentence

_BLOCK = 64 * 1024
_MARK = "\ufeff"


async def chunks(request: Request, idle: float) -> AsyncGenerator[bytes, None]:
    """Read the body as it comes in; what is not asked for stays with the client.

    Raises:
        MalformedRequest: it pauses for longer, or the client leaves.
    """
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(idle):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise MalformedRequest(sentence("No part of the body came for {idle:g} seconds.", idle=idle)) from None
            except ClientDisconnect:
                raise MalformedRequest("The body stops before its end.") from None
            if chunk is None:
                return
            yield chunk


@asynccontextmanager
async def spooled(body: AsyncIterator[bytes], spools: ByteBudget) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Count the bytes of a body as long as the context is open; where they are too many it raises `Overloaded`."""
    taken = 0

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal taken
        async for chunk in body:
            if not spools.take(len(chunk)):
                raise no_room()
            taken += len(chunk)
            yield chunk

    try:
        async with aclosing(counted()) as pieces:
            yield pieces
    finally:
        spools.give_back(taken)


def no_room() -> Overloaded:
    """Return what is raised where a body cannot be kept until it is uploaded."""
    return Overloaded("There is no room for the import at the moment; nothing was sent.", headers={"Retry-After": "30"})


async def blocks(pieces: AsyncIterator[bytes], size: int = _BLOCK) -> AsyncGenerator[bytes, None]:
    """Cut a body into blocks of a size, so that neither tiny nor huge chunks cost more than others."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            block = bytes(buffer[:size])
            del buffer[:size]
            yield block
    if buffer:
        yield bytes(buffer)


async def texts(pieces: AsyncIterator[bytes], encoding: str, name: str) -> AsyncGenerator[str, None]:
    """Decode a body; a byte-order mark at its start is dropped.

    Raises:
        MalformedRequest: bytes that are not in the encoding; what stands before them is returned first.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    breaks, started = 0, False
    async for piece in _with_end(pieces):
        text, whole = _decode(decoder, encoding, piece)
        breaks += text.count("\n")
        if text:
            yield text if started else text.removeprefix(_MARK)
            started = True
        if not whole:
            raise MalformedRequest(
                sentence("The body is not {name} text in line {value}.", name=name, value=breaks + 1)
            )


async def _with_end(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes | None, None]:
    async for piece in pieces:
        yield piece
    yield None


def _decode(decoder: codecs.IncrementalDecoder, encoding: str, piece: bytes | None) -> tuple[str, bool]:
    """Decode a piece, None for the end; returns the text, up to what cannot be decoded, and whether that is all."""
    try:
        return decoder.decode(piece or b"", final=piece is None), True
    except UnicodeDecodeError as error:
        return error.object[: error.start].decode(encoding), False


log = structlog.get_logger(__name__)

MULTIPART, JSON, NDJSON, CSV = "multipart/form-data", "application/json", "application/x-ndjson", "text/csv"
MEDIA_TYPES = (MULTIPART, JSON, NDJSON, CSV)

_FORMS: dict[str, Callable[[], RowFormat]] = {JSON: JsonDocument, NDJSON: JsonLines, CSV: CsvRows}
_UTF_8 = dict.fromkeys(("utf-8", "utf8", "us-ascii"), ("utf-8", "UTF-8"))
# Whoever says GBK or GB2312 means whatever their Windows writes; GB 18030 contains both.
_CHINESE = dict.fromkeys(("gbk", "gb2312", "gb18030"), ("gb18030", "GB 18030"))
_CHARSETS = {JSON: _UTF_8, NDJSON: _UTF_8, CSV: _UTF_8 | _CHINESE}

_FILE_NAME = "contacts.txt"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EACCES})
"""Full, or no temporary folder at all."""
_IN_MEMORY = 1024 * 1024
_MAX_FIELD = 64 * 1024


@asynccontextmanager
async def open_file(request: Request, on_invalid: OnInvalid, limits: ImportLimits) -> AsyncGenerator[ImportFile, None]:
    """Read a body of any size into a temporary file, which is gone at the end of the `async with` block.

    Rows are checked and written in the platform's line form, a file passes as it is.

    Raises:
        UnsupportedMediaType: a media type or character set that is not taken.
        MalformedRequest: the body is not what its media type says, or stops.
        PayloadTooLarge: it is larger than it may be.
        ValidationFailed: rows are refused, or there are none.
        Overloaded: the temporary files have no room for it.
    """
    media_type, parameters = media_type_of(request.headers.get("content-type", ""))
    async with (
        _room(),
        aclosing(chunks(request, limits.idle)) as received,
        spooled(received, limits.spools) as body,
    ):
        if media_type == MULTIPART:
            async with open_form(request, body, max_files=2, max_part_size=_MAX_FIELD) as form:
                yield _uploaded(form)
            return
        charset = _CHARSETS.get(media_type, {}).get(parameters.get("charset", "utf-8").lower())
        if charset is None:
            raise _not_taken()
        form_of_rows = _FORMS[media_type]()
        checker = RowChecker(form_of_rows, limits.rows)
        async with aclosing(blocks(body)) as cut, aclosing(texts(cut, *charset)) as text, _temporary() as content:
            size = await write_rows(form_of_rows, text, checker, content)
            # Counting very many addresses takes a while, in small steps that a thread can take beside others.
            counts = await asyncio.to_thread(checker.finish, on_invalid)
            yield ImportFile(_FILE_NAME, "text/plain", content, size, counts)


@asynccontextmanager
async def _room() -> AsyncIterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        log.error("temporary_folder_unusable", reason=error.strerror)
        raise no_room() from error


@asynccontextmanager
async def _temporary() -> AsyncIterator[BinaryIO]:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed below, in a thread
    try:
        yield cast("BinaryIO", file)
    finally:
        # Freeing a large file takes the disk a while.
        await asyncio.to_thread(file.close)


def _uploaded(form: OpenForm) -> ImportFile:
    if form.fields:
        errors = [field_error(("body", name[:100]), "unknown_field", "is not a field") for name in form.fields]
        raise ValidationFailed("The form has unknown fields.", errors)
    if len(form.files) != 1:
        error = FieldError("body", "/file", "one_file", "must be exactly one file")
        raise ValidationFailed("The form must hold one file.", [error])
    return _import_file(form.files[0])


def _import_file(file: UploadFile) -> ImportFile:
    if not file.size:
        raise no_rows()
    name = validated(FileName, {"file": file.filename}).file
    return ImportFile(name, file.content_type or "application/octet-stream", file.file, file.size)


def _not_taken() -> UnsupportedMediaType:
    return UnsupportedMediaType(
        sentence(
            "The body must be {value}, in UTF-8; CSV may also declare GBK or GB 18030.", value=", ".join(MEDIA_TYPES)
        ),
        headers={"Accept": ", ".join(MEDIA_TYPES)},
    )
