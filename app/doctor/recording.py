"""Keeping replies as golden files, with stand-ins for whatever they say."""

import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from app.doctor.findings import NotRecordable
from app.doctor.markup import scrub_reply
from app.doctor.scrubbing import WIDE, Scrubber
from app.doctor.shapes import decode
from app.gateway.checks import AnyCheck, ExportCheck
from app.gateway.operation import Effect, Export, Operation
from app.upstream.client import Decompressor
from app.upstream.encodings import encoding_of
from app.upstream.envelope import WireReply, WireRequest
from app.upstream.sources import TextLines, XmlRecords
from app.upstream.wire import Progress, Reply, Transport


@dataclass(slots=True)
class RecordedReply:
    """A reply as far as it has come."""

    status: int
    content_type: str
    encoding: str
    chunks: list[bytes] = field(default_factory=list, repr=False)
    complete: bool = False

    def body(self) -> bytes:
        """Return the body as far as it has come, without compression.

        Raises:
            ValueError: it is not what its encoding says.
        """
        decompressor = Decompressor(self.encoding)
        body = b"".join(part for chunk in self.chunks for part in decompressor.parts(chunk))
        if self.complete:
            decompressor.end()
        return body


class NotARead(Exception):
    """A request was about to leave that is none of the reads there are."""


class RecordingTransport(Transport):
    """A transport that lets nothing through but certain reads."""

    def __init__(self, transport: Transport, reads: Iterable[Operation[Any, Any] | Export[Any]]) -> None:
        self._transport = transport
        self._reads = [(each.script, [each.do] if each.do else []) for each in reads if each.effect is Effect.READ]
        self.last: RecordedReply | None = None
        """The last reply, once its head is there."""

    async def open(self, request: WireRequest, *, connect: float, progress: Progress) -> Reply:
        """Send a request and keep what comes back as it is read; see `Transport.open`.

        Raises:
            NotARead: the request is none of the reads.
        """
        self.last = None
        url = urlsplit(request.url)
        script, do = url.path.rpartition("/")[2], parse_qs(url.query).get("do", [])
        if request.method != "GET" or (script, do) not in self._reads:
            raise NotARead(f"{request.method} {script}")
        reply = await self._transport.open(request, connect=connect, progress=progress)
        headers = reply.headers
        self.last = RecordedReply(reply.status, headers.get("content-type", ""), headers.get("content-encoding", ""))
        return _Tapped(reply, self.last)

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Tapped:
    def __init__(self, reply: Reply, recorded: RecordedReply) -> None:
        self.status, self.headers = reply.status, reply.headers
        self._reply = reply
        self._recorded = recorded

    async def chunk(self) -> bytes | None:
        chunk = await self._reply.chunk()
        if chunk is None:
            self._recorded.complete = True
        else:
            self._recorded.chunks.append(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._reply.aclose()


_OPENING = 64


def beginning(export: Export[object], body: bytes, content_type: str, *, complete: bool, records: int) -> bytes:
    """Return as many whole records of an export as there are, at most some.

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


_CASE = "recorded"
_USUAL_TYPE = "text/html; charset=utf-8"
_HTTP_OK = 200


class Recorder:
    """Writes replies to files in the form of the project's own golden files.

    What it writes decodes to the same structure, with the same drift, as what came from the platform.
    """

    def __init__(self, folder: Path, zone: tzinfo, *, records: int, force: bool) -> None:
        self._folder = folder
        self._zone = zone
        self._records = records
        self._force = force
        self._scrubber = Scrubber()

    def record(self, check: AnyCheck, value: Any, tapped: RecordedReply | None) -> Path:
        """Keep a reply and return the file that describes it.

        Raises:
            NotRecordable: it cannot be kept, or there is one already.
            OSError: a file cannot be written.
        """
        if check.path is None:
            raise NotRecordable("an endpoint takes several calls for it")
        if tapped is None or tapped.status != _HTTP_OK:
            raise NotRecordable("there is no reply with HTTP 200")
        scrubbed = self._scrubbed_value(value)
        reply = self._scrub(check, value, scrubbed, tapped)
        case: dict[str, Any] = {"input": {"method": "GET", "path": check.path.format(quote(str(scrubbed), safe=""))}}
        if tapped.content_type != _USUAL_TYPE:
            case["reply"] = {"content_type": tapped.content_type}
        return self._write(check, case, reply)

    def _scrub(self, check: AnyCheck, value: Any, scrubbed: Any, tapped: RecordedReply) -> bytes:
        try:
            body = tapped.body()
        except ValueError:
            raise NotRecordable("its compression is broken") from None
        if isinstance(check, ExportCheck):
            body = beginning(
                check.operation, body, tapped.content_type, complete=tapped.complete, records=self._records
            )
        before = decode(check, check.ask(value), _wire(body, tapped), self._zone)
        reply = scrub_reply(
            body,
            tapped.content_type,
            self._scrubber,
            known=before.document.knows,
            keep=_headings(check),
        )
        after = decode(check, check.ask(scrubbed), _wire(reply, tapped), self._zone)
        if not after.resembles(before):
            raise NotRecordable("with stand-ins it would decode to something else")
        return reply

    def _scrubbed_value(self, value: Any) -> Any:
        if value is None:
            return None
        text = self._scrubber.text(str(value), WIDE, is_id=isinstance(value, int))
        return date.fromisoformat(text) if isinstance(value, date) else type(value)(text)

    def _write(self, check: AnyCheck, case: dict[str, Any], reply: bytes) -> Path:
        noun, verb = check.operation.name.split(".")
        folder = self._folder / noun / verb
        for each in (self._folder, folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
        suffix = "xml" if reply.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "txt"
        described = folder / f"{_CASE}.json"
        if not self._force and any(folder.glob(f"{_CASE}.*")):
            raise NotRecordable("there is one already")
        # A case is never without its reply, nor with another one's.
        for former in (described, *folder.glob(f"{_CASE}.reply.*")):
            former.unlink(missing_ok=True)
        _put(folder / f"{_CASE}.reply.{suffix}", reply)
        _put(described, f"{json.dumps(case, indent=2, ensure_ascii=False)}\n".encode())
        return described


def _wire(body: bytes, tapped: RecordedReply) -> WireReply:
    return WireReply(tapped.status, {"content-type": tapped.content_type}, body)


def _headings(check: AnyCheck) -> list[str]:
    source = check.operation.source if isinstance(check, ExportCheck) else None
    return sorted(source.headings) if isinstance(source, TextLines) else []


def _put(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, and over none."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
