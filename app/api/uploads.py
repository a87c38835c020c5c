"""Bodies that are more than one JSON model: multipart forms, and JSON read by hand beside them."""

import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.handlers import validation_failed
from app.errors import FieldError, MalformedRequest, UnsupportedMediaType, ValidationFailed
from app.texts import sentence

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FormFile:
    """An uploaded file: its name as the client sent it, its media type, its bytes."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MultipartForm:
    """A multipart form: every text field with its values, and the files of the field `file`."""

    fields: Mapping[str, list[str]]
    files: tuple[FormFile, ...]


@dataclass(frozen=True, slots=True)
class OpenForm:
    """A multipart form whose files have been received but not read: large ones are on the disk."""

    fields: Mapping[str, list[str]]
    files: tuple[UploadFile, ...]


def media_type(request: Request) -> str:
    """Return the request's media type in lower case, without parameters; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_form(request: Request, *, max_files: int = 20, max_fields: int = 100) -> MultipartForm:
    """Read a multipart form.

    Raises:
        UnsupportedMediaType: the body is not multipart/form-data.
        MalformedRequest: it is not a readable form, or has too many parts.
        ValidationFailed: a file under another field than `file` or `file[]`, or without a name.
    """
    if media_type(request) != "multipart/form-data":
        raise UnsupportedMediaType("The body must be multipart/form-data.", headers={"Accept": "multipart/form-data"})
    # A text field is limited as a JSON body is: by the body's limit, and by its own in the model.
    limits = {"max_files": max_files, "max_fields": max_fields, "max_part_size": sys.maxsize}
    async with aclosing(request.stream()) as body, open_form(request, body, **limits) as form:
        return MultipartForm(form.fields, tuple([await _upload(file) for file in form.files]))


@asynccontextmanager
async def open_form(
    request: Request, body: AsyncGenerator[bytes, None], *, max_files: int, max_fields: int = 100, max_part_size: int
) -> AsyncGenerator[OpenForm, None]:
    """Receive a multipart form; its files are gone at the end of the `async with` block.

    Raises:
        MalformedRequest: it is not a readable form, or has too many parts, or too large ones.
        ValidationFailed: a file under another field than `file` or `file[]`, or without a name.
    """
    fields: dict[str, list[str]] = {}
    files: list[UploadFile] = []
    form = await _parse(
        _StrictParser(request.headers, body, max_files=max_files, max_fields=max_fields, max_part_size=max_part_size)
    )
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                _check_file(name, value)
                files.append(value)
            else:
                fields.setdefault(name.removesuffix("[]"), []).append(value)
        yield OpenForm(fields, tuple(files))
    finally:
        await form.close()


async def _parse(parser: "_StrictParser") -> FormData:
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise MalformedRequest(sentence("The form cannot be read: {message}", message=error.message)) from None


class _StrictParser(MultiPartParser):
    """Refuses what the framework's parser passes over: a form that stops in the middle, and text that is not UTF-8."""

    _complete = False

    def on_headers_finished(self) -> None:
        disposition = self._current_part.content_disposition or b""
        _check_utf8(disposition)
        self._current_part.content_disposition = _with_plain_name(disposition)
        super().on_headers_finished()

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            _check_utf8(self._current_part.data)
        super().on_part_end()

    def on_end(self) -> None:
        self._complete = True

    async def parse(self) -> FormData:
        """Parse the whole form; raises `MultiPartException` where it cannot be read."""
        form = await super().parse()
        if not self._complete:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("It stops before its closing boundary.")
        return form


_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_EXTENDED_NAME = re.compile(rb";\s*filename\*\s*=\s*([A-Za-z0-9_-]+)'[^']*'([^;\s]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(rb";\s*filename\s*=", re.IGNORECASE)


def _with_plain_name(disposition: bytes) -> bytes:
    """Give a part that only has the `filename*` of RFC 5987 a plain `filename`, which is all the parser reads."""
    unquoted = _QUOTED.sub(b'""', disposition)
    extended = _EXTENDED_NAME.search(unquoted)
    if extended is None or _PLAIN_NAME.search(unquoted):
        return disposition
    try:
        name = unquote_to_bytes(extended[2]).decode(extended[1].decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        raise MultiPartException("A file's name cannot be decoded.") from None
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return disposition + f'; filename="{escaped}"'.encode()


def _check_utf8(text: bytes | bytearray) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise MultiPartException("Its text is not UTF-8.") from None


def _check_file(name: str, file: UploadFile) -> None:
    if name not in {"file", "file[]"}:
        raise ValidationFailed(
            "A file stands under an unknown field.",
            [FieldError("body", f"/{name[:100]}", "unknown_field", "files stand under `file`")],
        )
    if not file.filename:
        raise ValidationFailed(
            "A file has no name.", [FieldError("body", "/file", "missing_filename", "must have a file name")]
        )


async def _upload(file: UploadFile) -> FormFile:
    return FormFile(file.filename or "", file.content_type or "application/octet-stream", await file.read())


def validated(model: type[Model], data: Any) -> Model:
    """Check data against a request model, with the same problem document as a plain JSON body gets.

    Raises:
        ValidationFailed: fields are refused; each is named by its pointer.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise validation_failed([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


async def read_json(request: Request, model: type[Model]) -> Model:
    """Read a JSON body by hand, for endpoints that take other media types too.

    Raises:
        MalformedRequest: not JSON.
        ValidationFailed: fields are refused.
    """
    return validated(model, await request.json())
