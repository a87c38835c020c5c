"""What a request's head says, read in one go."""

import asyncio
import os
import re
from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from starlette.types import Scope

from app.errors import GatewayError, HeadersTooLarge, MalformedRequest, UrlTooLong
from app.gateway.context import RequestContext
from app.texts import root_path, sentence

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


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+")
_IPV6_SUBSCRIBER = 64
_PREFIX = b"x-forwarded-prefix"


def parse_address(text: str | None) -> Address | None:
    """Read an IP address, with or without port and brackets; None for anything else.

    An IPv4 address in IPv6 form is the IPv4 address, and a zone (`%eth0`) is left out.
    """
    if text is None:
        return None
    bare = text.strip()
    if match := _WITH_PORT.fullmatch(bare):
        bare = match[1] or match[2]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def subscriber(text: str | None) -> str:
    """Return whose address it is: an IPv4 address itself, the /64 of an IPv6 one, `unknown` if it is neither."""
    address = parse_address(text)
    if address is None:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(IPv6Network((address, _IPV6_SUBSCRIBER), strict=False))


def is_within(text: str | None, networks: Collection[Network]) -> bool:
    """Tell whether an address is in one of the networks; what is no address is in none."""
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


class TrustedProxies:
    """What the proxies in front say of a request: whom they ask for, and below which path the gateway is reached.

    Only the headers that they write are read, and only from them. The scheme and the host that they tell are not read
    at all, since no answer depends on them.
    """

    def __init__(
        self, networks: Collection[Network] = (), header: ForwardedHeader = "x-forwarded-for", root_path: str = ""
    ) -> None:
        self._networks = tuple(networks)
        self._header = header.encode()
        self._hops = _forwarded if header == "forwarded" else _listed
        self._root_path = root_path

    def client_address(self, scope: Scope) -> str | None:
        """Return the client's address; None if there is none or a trusted proxy does not know it."""
        client = scope.get("client")
        peer: str | None = client[0] if client else None
        if not self._networks or not is_within(peer, self._networks):
            return peer
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == self._header]
        return self._first_untrusted(peer, ",".join(values))

    def root_path(self, scope: Scope) -> str:
        """Return the path that clients see in front of every path, and that a proxy has taken off; mostly empty."""
        if not self._networks:
            return self._root_path
        given = [value for name, value in scope["headers"] if name == _PREFIX]
        client = scope.get("client")
        if len(given) != 1 or not is_within(client and client[0], self._networks):
            return self._root_path
        try:
            return root_path(given[0].decode("latin-1"))
        except ValueError:
            return self._root_path

    def _first_untrusted(self, peer: str | None, value: str) -> str | None:
        # Each proxy appends whom it was asked by. From the right, what the first one writes that is not ours is true,
        # and everything before may be invented.
        nearest = peer
        for hop in reversed(list(self._hops(value))):
            address = parse_address(hop)
            if address is None:
                return None
            nearest = str(address)
            if not is_within(nearest, self._networks):
                break
        return nearest


def _listed(value: str) -> Iterator[str]:
    return (hop for hop in value.split(",") if hop.strip())


def _forwarded(value: str) -> Iterator[str]:
    for element in _listed(value):
        pairs = (pair.partition("=") for pair in element.split(";"))
        nodes = (value.strip() for name, _, value in pairs if name.strip().lower() == "for")
        yield next(nodes, "").strip('"')
