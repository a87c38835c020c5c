"""Field types of files: their names, and what is in them."""

import base64
import binascii
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.api.types import described, single_line

_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def _file_name(value: str) -> str:
    if not value.replace(".", "").strip() or "/" in value or "\\" in value:
        raise PydanticCustomError("file_name", "must be a file name without a path")
    return value


def _unquoted(value: str) -> str:
    # PHP takes the escape that multipart forms have for a quotation mark to be part of the name.
    if '"' in value:
        raise PydanticCustomError("file_name", 'must not contain "')
    return value


def _from_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        decoded = None
    # The library passes over padding that is more than needed.
    if decoded is None or len(value) % 4:
        raise PydanticCustomError("base64", "is not base64 (RFC 4648, section 4)")
    return decoded


FileName = Annotated[
    str,
    StringConstraints(max_length=255),
    AfterValidator(single_line),
    AfterValidator(_file_name),
    described(without=r"/\\", visible="."),
]
"""A file's name in any script, without a path."""

UploadName = Annotated[FileName, AfterValidator(_unquoted), described(without=r'/\\"', visible=".")]
"""A file's name as it goes to the platform."""

Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "pattern": _BASE64}),
]
"""Bytes, which JSON carries as base64."""
