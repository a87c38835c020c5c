"""Where tenants' platforms and relays may be."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from app.tenants.destinations import Destinations
from app.tenants.document import TenantsFileError
from app.tenants.file import FileTenantStore
from tests.support.tenants import make_smtp, make_tenant

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1::a9:fea9:fe00:0",
    "2001:0:a9fe:a9fe::1",
    "2001:0:cb00:7101::5601:5601",
    "::ffff:0:a9fe:a9fe",
    "2001:db8::5efe:a9fe:a9fe",
    "2001:db8::200:5efe:a9fe:a9fe",
    "name.example",
    "",
]
ALLOWED = [
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "192.168.1.1",
    "fd12:3456::1",
    "203.0.113.1",
    "2001:db8::1",
    "64:ff9b::cb00:7101",
    "64:ff9b:1::cb00:7101",
    "2001:0:cb00:7101::34ff:8efe",
    "::ffff:0:cb00:7101",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused_by_default(address: str) -> None:
    assert not Destinations().allows(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_loopback_private_and_public_are_allowed(address: str) -> None:
    assert Destinations().allows(address)


def test_settings_add_and_except() -> None:
    private = ip_network("10.0.0.0/8")
    assert not Destinations(refused=[private]).allows("10.1.1.1")
    excepted = Destinations(allowed=[ip_network("169.254.10.0/24")])
    assert excepted.allows("169.254.10.1")
    assert excepted.allows("::ffff:169.254.10.1")
    assert not excepted.allows("169.254.169.254")


class TestTenants:
    def test_what_stands_literally_is_refused(self) -> None:
        assert Destinations().refusal(make_tenant()) is None
        metadata = Destinations().refusal(make_tenant(base_url="http://169.254.169.254/latest/"))
        assert metadata is not None
        assert metadata.startswith("upstream.base_url: ")
        relay = Destinations().refusal(make_tenant(smtp=make_smtp(25).model_copy(update={"host": "[fe80::1]"})))
        assert relay is not None
        assert relay.startswith("smtp.host: ")

    def test_names_are_looked_at_later(self) -> None:
        assert Destinations().refusal(make_tenant(base_url="http://metadata.example/")) is None

    def test_a_tenants_file_with_such_an_address_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "tenants.yaml"
        file.write_text(
            "tenants: [{id: acme, name: Acme, keys: [], upstream: "
            "{base_url: 'http://[fd00:ec2::254]/', username: u, password: p}}]"
        )
        with pytest.raises(TenantsFileError, match=r"tenant acme, upstream\.base_url"):
            FileTenantStore(file, {})
        FileTenantStore(file, {}, destinations=Destinations(allowed=[ip_network("fd00:ec2::254")]))
