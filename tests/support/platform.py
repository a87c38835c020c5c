"""A fake platform on the transport: answers from a script and remembers what it was sent."""

import email.parser
import email.policy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from tests.support.library import LibraryTransport


@dataclass
class FakePlatform:
    """Replies in turn; the last one repeats. `replies` are responses, exceptions to raise, or functions."""

    replies: list[httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]]
    requests: list[httpx2.Request] = field(default_factory=list)

    @property
    def transport(self) -> LibraryTransport:
        """The transport to build an application with."""
        return LibraryTransport(httpx2.MockTransport(self.answer))

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Remember a request and return, or raise, the next reply."""
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply(request) if callable(reply) else reply


def xml_reply(
    body: str | bytes, *, status: int = 200, content_type: str = "text/html; charset=utf-8"
) -> httpx2.Response:
    """Return a reply as the live service sends it: XML labelled HTML."""
    content = body.encode() if isinstance(body, str) else body
    return httpx2.Response(status, content=content, headers={"Content-Type": content_type})


def describe(request: httpx2.Request) -> dict[str, Any]:
    """Describe a request to the platform for comparison: method, script, query, and the form or files of its body."""
    described: dict[str, Any] = {
        "method": request.method,
        "script": request.url.path.rpartition("/")[2],
        "query": _pairs(parse_qsl(request.url.query.decode(), keep_blank_values=True)),
    }
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        described["form"] = _pairs(parse_qsl(request.content.decode(), keep_blank_values=True))
    elif content_type.startswith("multipart/form-data"):
        described["form"], described["files"] = _multipart(content_type, request.content)
    return described


def _pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    collected: dict[str, str] = {}
    for name, value in pairs:
        assert name not in collected, f"{name} stands twice"
        collected[name] = value
    return collected


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    header = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(header + body)
    form: dict[str, str] = {}
    files: list[dict[str, str]] = []
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is None:
            form[name] = content.decode()
        else:
            filename = str(part.get_filename())
            files.append(
                {
                    "name": name,
                    "filename": filename,
                    "type": part.get_content_type(),
                    "content": content.decode("latin-1"),
                }
            )
    return form, files
