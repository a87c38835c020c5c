"""Where a request comes from, as far as that can be believed."""

import re
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+")
_LONGEST_ROOT_PATH = 200
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_IPV6_SUBSCRIBER = 64
_PREFIX = b"x-forwarded-prefix"


def root_path(value: str) -> str:
    """Return the path in front of all paths without a slash at its end.

    Raises:
        ValueError: it could name another host, climb, or need quoting in a page or a header.
    """
    path = value.rstrip("/")
    if len(path) > _LONGEST_ROOT_PATH or not _ROOT_PATH.fullmatch(path):
        raise ValueError("must be a plain path like /umail")
    return path


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
