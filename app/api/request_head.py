"""What a request's head says, read in one go."""

import asyncio
import os
import re
from collections.abc import Sequence

from app.errors import GatewayError, HeadersTooLarge, MalformedRequest, UrlTooLong
from app.gateway.context import RequestContext
from app.texts import sentence

RawHeaders = Sequence[tuple[bytes, bytes]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_SECONDS = re.compile(rb"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestHead:
    """The headers of a request, as ASGI gives them: names in lower case, in order."""

    __slots__ = ("_fields", "_headers")

    def __init__(self, headers: RawHeaders = ()) -> None:
        self._headers = headers
        self._fields = dict(headers)
        if len(self._fields) < len(headers):
            # Of a header that stands twice, the first counts.
            self._fields = dict(reversed(headers))

    def get(self, name: bytes) -> bytes | None:
        """Return a header's first value."""
        return self._fields.get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Return every value of a header, in order."""
        if name not in self._fields:
            return []
        if len(self._fields) == len(self._headers):
            return [self._fields[name]]
        return [value for each, value in self._headers if each == name]

    def names(self, among: frozenset[bytes]) -> bool:
        """Tell whether any of some headers is there."""
        return not among.isdisjoint(self._fields)


def request_context(head: RequestHead) -> RequestContext:
    """Build a request's context: its id and trace are taken from the caller if they are sane."""
    given, traceparent = head.get(b"x-request-id"), head.get(b"traceparent")
    # All of them in one go: each call for randomness enters the kernel.
    random = os.urandom(40).hex()
    request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else random[:32]
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return RequestContext(request_id, traceparent.decode())
    return RequestContext(request_id, f"00-{random[32:64]}-{random[64:]}-00")


def set_deadline(context: RequestContext, head: RequestHead) -> None:
    """Note how long the client is willing to wait, if it says so in `Request-Timeout`, in seconds.

    Raises:
        MalformedRequest: the header is no positive number of seconds.
    """
    given = head.get(b"request-timeout")
    if given is None:
        return
    seconds = float(given) if _SECONDS.fullmatch(given.strip()) else 0.0
    if seconds <= 0:
        raise MalformedRequest("Request-Timeout must be a positive number of seconds, like 2.5.")
    context.deadline = asyncio.get_running_loop().time() + seconds


def bearer_token(head: RequestHead) -> str:
    """Return the token of `Authorization: Bearer`; empty when there is none."""
    scheme, _, token = (head.get(b"authorization") or b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def presented_key(head: RequestHead) -> str:
    """Return the API key of a request, from `Authorization: Bearer` or `X-API-Key`; empty when there is none.

    Raises:
        MalformedRequest: the two headers carry different keys, or one of them stands twice.
    """
    authorizations, keys = head.all(b"authorization"), head.all(b"x-api-key")
    if len(authorizations) > 1 or len(keys) > 1:
        raise MalformedRequest("Authorization and X-API-Key may each stand once.")
    bearer = bearer_token(head)
    key = keys[0].strip().decode("latin-1") if keys else ""
    if bearer and key and bearer != key:
        raise MalformedRequest("Authorization and X-API-Key carry different keys.")
    return bearer or key


LONGEST_URL = 8192
MOST_HEADERS = 100


def refused_head(url: bytes, headers: RawHeaders, http_version: str) -> GatewayError | None:
    """Return why a head is refused; None if it is not."""
    if len(url) > LONGEST_URL:
        return UrlTooLong(sentence("The URL is longer than {longest_url} bytes.", longest_url=LONGEST_URL))
    if len(headers) > MOST_HEADERS:
        return HeadersTooLarge(sentence("There are more than {most_headers} headers.", most_headers=MOST_HEADERS))
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and http_version == "1.1"):
        return MalformedRequest("A request names its host once.")
    return _refused_framing(headers, http_version)


def _refused_framing(headers: RawHeaders, http_version: str) -> GatewayError | None:
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if not codings:
        return None
    if http_version != "1.1":
        return MalformedRequest("HTTP/1.0 has no Transfer-Encoding.")
    if codings != [b"chunked"]:
        return MalformedRequest("The only Transfer-Encoding that is taken is `chunked`, once.")
    if any(name == b"content-length" for name, _ in headers):
        return MalformedRequest("A body has a Content-Length or a Transfer-Encoding, not both.")
    return None


def head_size(url: bytes, headers: RawHeaders) -> int:
    """Return the bytes that a URL and headers take."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def framing(headers: RawHeaders) -> bytes:
    """Return those headers as lines that tell where the body ends."""
    kept = [each for each in headers if each[0] in {b"content-length", b"transfer-encoding"}]
    return b"".join(b"%b: %b\r\n" % each for each in kept)
