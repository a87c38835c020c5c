"""A request that carries an idempotency key: its fingerprints on the way in, its answer on the way out."""

import hashlib
import json
import re

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.api.problems import MEDIA_TYPE
from app.storage.writes.models import StoredAnswer

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(values: list[str]) -> str:
    """Return the key that an `Idempotency-Key` header carries, bare or as the draft's quoted string.

    Raises:
        ValueError: there are several, or it is not 1 to 255 visible ASCII characters.
    """
    key = values[0].strip()
    if len(key) >= 2 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise ValueError("Idempotency-Key must stand once and have 1 to 255 visible ASCII characters.")
    return key


def head_fingerprint(scope: Scope, headers: Headers) -> str:
    """Return the fingerprint of what is known before the body: method, path, query and media type."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    parts = [scope["method"], scope["path"], scope["query_string"].decode("latin-1"), media_type]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class BodyFingerprint:
    """Hashes a body as it passes.

    The boundary of a multipart body is left out: clients draw a new one each time they write the same form.
    """

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.search(content_type) if content_type.lower().startswith("multipart/") else None
        self._boundary = found[1].strip().encode() if found else b""
        self._hash = hashlib.sha256()
        self._tail = b""

    def update(self, chunk: bytes) -> None:
        """Take in the next bytes."""
        if not self._boundary:
            self._hash.update(chunk)
            return
        *whole, last = (self._tail + chunk).split(self._boundary)
        for part in whole:
            self._hash.update(part)
            self._hash.update(b"\0boundary\0")
        kept = min(len(last), len(self._boundary) - 1)
        self._hash.update(last[: len(last) - kept])
        self._tail = last[len(last) - kept :]

    def finish(self) -> str:
        """Return the fingerprint of all that was taken in."""
        self._hash.update(self._tail)
        self._tail = b""
        return self._hash.hexdigest()


_PROBLEM = MEDIA_TYPE.encode()
_KEPT_HEADERS = frozenset({b"content-type", b"location", b"link", b"retry-after", b"preference-applied"})
"""Headers that belong to the answer; the others belong to the exchange in which it is given."""


class RecordedBody:
    """Passes a request's body on and hashes it on the way."""

    def __init__(self, receive: Receive, content_type: str) -> None:
        self._receive = receive
        self._fingerprint = BodyFingerprint(content_type)
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._fingerprint.update(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        else:
            self._ended = True
        return message

    async def fingerprint(self) -> str:
        """Read what is left of the body and return its fingerprint; afterwards there is nothing more to take in."""
        while not self._ended:
            await self.receive()
        return self._fingerprint.finish()


class HeldAnswer:
    """Takes an answer without sending it; those that need a key's promise are small."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._body = bytearray()
        self.status = 0

    async def send(self, message: Message) -> None:
        """Take the next message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self._body += message.get("body", b"")
        self._messages.append(message)

    def stored(self) -> StoredAnswer:
        kept = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self._headers()
            if name in _KEPT_HEADERS
        )
        return StoredAnswer(self.status, kept, bytes(self._body))

    def problem_code(self) -> str | None:
        """Return the code of the problem document, if it is one."""
        if not any(name == b"content-type" and value == _PROBLEM for name, value in self._headers()):
            return None
        code: str = json.loads(bytes(self._body))["code"]
        return code

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [(name.lower(), value) for name, value in self._messages[0].get("headers", ())] if self._messages else []

    async def pass_on(self, send: Send) -> None:
        for message in self._messages:
            await send(message)


async def replay(answer: StoredAnswer, send: Send) -> None:
    """Send an answer that was given before."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers += [(b"idempotency-replayed", b"true"), (b"cache-control", b"no-store")]
    if answer.body or answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
