"""Multipart bodies (RFC 7578) as the platform's PHP reads them: raw UTF-8 in names, one part after the other."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

_UNQUOTABLE = re.compile('["\r\n]')
_ESCAPES = {'"': "%22", "\r": "%0D", "\n": "%0A"}
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload."""

    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file to upload whose content may be too large for memory.

    Args:
        content: an open file that can be read from its start; whoever opened it closes it.
    """

    name: str
    filename: str
    content_type: str
    content: BinaryIO = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is read from a file while it is sent, anew each time."""

    head: bytes = field(repr=False)
    file: StoredFile
    tail: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        return len(self.head) + self.file.size + len(self.tail)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Read the body, no faster than it is asked for; the file, which may be on a disk, in a thread.

        Raises:
            OSError: the file cannot be read, or is shorter than it was said to be.
        """
        content, left = self.file.content, self.file.size
        yield self.head
        await asyncio.to_thread(content.seek, 0)
        while left:
            chunk = await asyncio.to_thread(content.read, min(_CHUNK, left))
            if not chunk:
                raise OSError("the file is shorter than announced")
            left -= len(chunk)
            yield chunk
        yield self.tail


def stream_multipart(form: Mapping[str, str], file: StoredFile) -> tuple[str, Upload]:
    """Return the Content-Type and the body of a form with a file that is read as it is sent."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, f'name="{_quoted(name)}"', None, value.encode()) for name, value in form.items()]
    head = b"".join([*parts, _head(boundary, _disposition(file), file.content_type)])
    return f"multipart/form-data; boundary={boundary}", Upload(head, file, f"\r\n--{boundary}--\r\n".encode())


def write_multipart(form: Mapping[str, str], files: Iterable[File]) -> tuple[str, bytes]:
    """Return the Content-Type and the body of a form with files."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, f'name="{_quoted(name)}"', None, value.encode()) for name, value in form.items()]
    parts += [_part(boundary, _disposition(file), file.content_type, file.content) for file in files]
    return f"multipart/form-data; boundary={boundary}", b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _disposition(file: File | StoredFile) -> str:
    return f'name="{_quoted(file.name)}"; filename="{_quoted(file.filename)}"'


def _part(boundary: str, disposition: str, content_type: str | None, content: bytes) -> bytes:
    return _head(boundary, disposition, content_type) + content + b"\r\n"


def _head(boundary: str, disposition: str, content_type: str | None) -> bytes:
    lines = [f"--{boundary}", f"Content-Disposition: form-data; {disposition}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode()


def _quoted(name: str) -> str:
    # The escapes of the WHATWG form-data encoding. PHP does not undo them, so file names that need them are refused
    # before; this keeps any other name from ending its header.
    return _UNQUOTABLE.sub(lambda match: _ESCAPES[match[0]], name)
