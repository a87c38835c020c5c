"""Where tenants' platforms and relays may be: not where a cloud hands out its own secrets."""

from collections.abc import Collection, Iterator
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
            forms = list(_forms(ip_address(address.partition("%")[0])))
        except ValueError:
            return False
        if any(form in network for form in forms for network in self._allowed):
            return True
        return not any(form in network for form in forms for network in self._refused)

    def refusal(self, tenant: Tenant) -> str | None:
        """Return what is wrong with the addresses that stand literally in a tenant, or None.

        A name is looked at when it is connected to, since what it stands for may change.
        """
        hosts = {"upstream.base_url": urlsplit(tenant.upstream.base_url).hostname or ""}
        if tenant.smtp is not None:
            hosts["smtp.host"] = tenant.smtp.host.strip("[]")
        for field, host in hosts.items():
            if _is_address(host) and not self.allows(host):
                return f"{field}: the address is not allowed (link-local, metadata, multicast or unspecified)"
        return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _forms(address: Address) -> Iterator[Address]:
    """Yield an address and the IPv4 addresses that routers or translators may make of it."""
    yield address
    if isinstance(address, IPv6Address):
        for embedded in (address.ipv4_mapped, address.sixtofour):
            if embedded is not None:
                yield embedded
        if address in _NAT64 or (address in _COMPATIBLE and not address.is_loopback):
            yield IPv4Address(int(address) & 0xFFFFFFFF)


_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
