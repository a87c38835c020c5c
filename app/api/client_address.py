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
_IPV6_SUBSCRIBER = 64


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


class ClientAddresses:
    """Tells the address of a request's client: the peer's, unless a trusted proxy says for whom it asks.

    Only the header that the proxies write is read: the other one would be the client's own. The scheme and the host
    that proxies tell are not read at all, since no answer depends on them.

    Args:
        trusted: the proxies' networks.
        header: where they write for whom they ask.
    """

    def __init__(self, trusted: Collection[Network] = (), header: ForwardedHeader = "x-forwarded-for") -> None:
        self._trusted = tuple(trusted)
        self._header = header.encode()
        self._hops = _forwarded if header == "forwarded" else _listed

    def of(self, scope: Scope) -> str | None:
        """Return the client's address; None if there is none or a trusted proxy does not know it."""
        client = scope.get("client")
        peer: str | None = client[0] if client else None
        if not self._trusted or not is_within(peer, self._trusted):
            return peer
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == self._header]
        return self._first_untrusted(peer, ",".join(values))

    def _first_untrusted(self, peer: str | None, value: str) -> str | None:
        # Each proxy appends whom it was asked by. From the right, what the first one writes that is not ours is true,
        # and everything before may be invented.
        nearest = peer
        for hop in reversed(list(self._hops(value))):
            address = parse_address(hop)
            if address is None:
                return None
            nearest = str(address)
            if not is_within(nearest, self._trusted):
                break
        return nearest


def _listed(value: str) -> Iterator[str]:
    return (hop for hop in value.split(",") if hop.strip())


def _forwarded(value: str) -> Iterator[str]:
    for element in _listed(value):
        pairs = (pair.partition("=") for pair in element.split(";"))
        nodes = (value.strip() for name, _, value in pairs if name.strip().lower() == "for")
        yield next(nodes, "").strip('"')
