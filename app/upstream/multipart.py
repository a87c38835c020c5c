"""Multipart bodies (RFC 7578) as the platform's PHP reads them: raw UTF-8 in names, one part after the other."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_UNQUOTABLE = re.compile('["\r\n]')
_ESCAPES = {'"': "%22", "\r": "%0D", "\n": "%0A"}


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload.

    Args:
        name: the form field's name.
        filename: passed on as it is, in any script.
        content_type: its media type.
        content: its bytes.
    """

    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


def write_multipart(form: Mapping[str, str], files: Iterable[File]) -> tuple[str, bytes]:
    """Return the Content-Type and the body of a form with files."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, f'name="{_quoted(name)}"', None, value.encode()) for name, value in form.items()]
    for file in files:
        disposition = f'name="{_quoted(file.name)}"; filename="{_quoted(file.filename)}"'
        parts.append(_part(boundary, disposition, file.content_type, file.content))
    return f"multipart/form-data; boundary={boundary}", b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _part(boundary: str, disposition: str, content_type: str | None, content: bytes) -> bytes:
    lines = [f"--{boundary}", f"Content-Disposition: form-data; {disposition}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


def _quoted(name: str) -> str:
    # The escapes of the WHATWG form-data encoding, which every browser sends and PHP undoes.
    return _UNQUOTABLE.sub(lambda match: _ESCAPES[match[0]], name)
