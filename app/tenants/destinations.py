"""Where tenants' platforms and relays may be: not where a cloud hands out its own secrets."""

from collections.abc import Collection, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from app.tenants.models import Tenant

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _refused_by_default() -> tuple[Network, ...]:
    return tuple(
        ip_network(network)
        for network in (
            "0.0.0.0/8",  # unspecified
            "::/128",
            "169.254.0.0/16",  # link-local, and with it most clouds' metadata
            "fe80::/10",
            "224.0.0.0/4",  # multicast and broadcast
            "ff00::/8",
            "255.255.255.255/32",
            "100.100.100.200/32",  # metadata outside link-local: Alibaba, Oracle, Azure, AWS, Google
            "192.0.0.192/32",
            "168.63.129.16/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        )
    )


class Destinations:
    """Decides which addresses the gateway connects to on behalf of tenants.

    Loopback and private networks are allowed: the platform is often there. Refused are unspecified, link-local and
    multicast addresses and those at which clouds give out credentials, in every form in which IPv6 can hold them.
    """

    def __init__(self, *, allowed: Collection[Network] = (), refused: Collection[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._refused = (*_refused_by_default(), *refused)

    def allows(self, address: str) -> bool:
        """Tell whether an IP address may be connected to; what is no IP address may not."""
        try:
            given = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if _is_within(given, self._allowed):
            return True
        # Each form by itself: an allowed reading of an address must not carry a refused one along.
        return all(_is_within(form, self._allowed) or not _is_within(form, self._refused) for form in _forms(given))

    def may_name(self, host: str) -> bool:
        """Tell whether a host is a name, which is looked at when it is connected to, or an address that is allowed."""
        return not _is_address(host) or self.allows(host)

    def refusal(self, tenant: Tenant) -> str | None:
        """Return what is wrong with the addresses that stand literally in a tenant, or None.

        A name is looked at when it is connected to, since what it stands for may change.
        """
        hosts = {"upstream.base_url": urlsplit(tenant.upstream.base_url).hostname or ""}
        if tenant.smtp is not None:
            hosts["smtp.host"] = tenant.smtp.host.strip("[]")
        for field, host in hosts.items():
            if not self.may_name(host):
                return f"{field}: the address is not allowed (link-local, metadata, multicast or unspecified)"
        return None


class PublicDestinations(Destinations):
    """Decides about receivers that tenants name: public addresses, and the networks that the operator allows.

    Of an address that stands for others in IPv6, all of them must be public.
    """

    def __init__(self, *, allowed: Collection[Network] = (), refused: Collection[Network] = ()) -> None:
        super().__init__(refused=refused)
        self._networks = tuple(allowed)

    def allows(self, address: str) -> bool:
        """Tell whether an IP address may be connected to."""
        try:
            given = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if _is_within(given, self._networks):
            return True
        return super().allows(address) and all(form.is_global for form in _forms(given))


class ListedDestinations(Destinations):
    """Allows the networks that the operator names, and nothing else."""

    def __init__(self, networks: Collection[Network]) -> None:
        super().__init__()
        self._networks = tuple(networks)

    def allows(self, address: str) -> bool:
        """Tell whether an IP address may be connected to."""
        try:
            return _is_within(ip_address(address.partition("%")[0]), self._networks)
        except ValueError:
            return False


def _is_within(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)


@lru_cache(1000)
def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _forms(address: Address) -> Iterator[Address]:
    """Yield an address and every IPv4 address that routers or translators may make of it."""
    yield address
    if not isinstance(address, IPv6Address):
        return
    low = int(address) & 0xFFFFFFFF
    if address in _TEREDO:
        # The server, and the client behind it with all bits turned over.
        yield IPv4Address(int(address) >> 64 & 0xFFFFFFFF)
        yield IPv4Address(low ^ 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _LOCAL_NAT64:
        yield from _embedded(int(address))
    is_isatap = int(address) >> 32 & 0xFDFFFFFF == _ISATAP
    if is_isatap or (any(address in network for network in _LOW_BITS) and not address.is_loopback):
        yield IPv4Address(low)


def _embedded(address: int) -> Iterator[IPv4Address]:
    """Yield what the prefix lengths of RFC 6052 make of an address; which of them is used here nobody tells."""
    yield IPv4Address(address & 0xFFFFFFFF)
    for length in (48, 56, 64):
        # Bits 64 to 71 are left out wherever the IPv4 address would cover them.
        bits = f"{address:0128b}"
        joined = bits[length:64] + bits[72:]
        # What is all zero at the beginning was written with another length.
        if (embedded := IPv4Address(int(joined[:32], 2))) not in _UNSPECIFIED:
            yield embedded


_LOW_BITS = tuple(IPv6Network(each) for each in ("64:ff9b::/96", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96"))
"""NAT64, IPv4-compatible, IPv4-mapped, and IPv4-translated (SIIT) addresses: the last 32 bits are the IPv4 address."""
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_UNSPECIFIED = IPv4Network("0.0.0.0/8")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = 0x5EFE
