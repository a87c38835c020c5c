"""What a request's head must not be (RFC 9112), and how large it may be."""

from collections.abc import Sequence

from app.errors import GatewayError, HeadersTooLarge, MalformedRequest, UrlTooLong
from app.texts import sentence

LONGEST_URL = 8192
MOST_HEADERS = 100

RawHeaders = Sequence[tuple[bytes, bytes]]


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
