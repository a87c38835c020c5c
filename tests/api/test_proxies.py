"""Whose address a request comes from, and who may say so."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.request_head import ForwardedHeader, TrustedProxies, is_within, parse_address, subscriber

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def client(
    peer: str | None, *headers: tuple[str, str], trusted: bool = True, header: ForwardedHeader = "x-forwarded-for"
) -> str | None:
    addresses = TrustedProxies(PROXIES if trusted else (), header)
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return addresses.client_address({"client": (peer, 1) if peer else None, "headers": raw})


class TestPeers:
    def test_the_peer_is_the_client(self) -> None:
        assert client("192.0.2.1") == "192.0.2.1"
        assert client(None) is None

    def test_a_header_from_anybody_is_ignored(self) -> None:
        assert client("192.0.2.1", ("x-forwarded-for", "198.51.100.1")) == "192.0.2.1"
        assert client("10.0.0.1", ("x-forwarded-for", "198.51.100.1"), trusted=False) == "10.0.0.1"


class TestForwarded:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("198.51.100.1", "198.51.100.1"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("203.0.113.9, 198.51.100.1", "198.51.100.1"),
            ("198.51.100.1, 10.2.2.2, fd00::3", "198.51.100.1"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("unknown", None),
            ("198.51.100.1, _hidden", None),
            ("198.51.100.1, unknown, 10.2.2.2", None),
            ("", "10.0.0.1"),
            (" , ", "10.0.0.1"),
        ],
    )
    def test_the_first_from_the_right_that_is_no_proxy(self, value: str, expected: str | None) -> None:
        assert client("10.0.0.1", ("x-forwarded-for", value)) == expected

    def test_several_headers_are_one_list(self) -> None:
        headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.1")]
        assert client("10.0.0.1", *headers) == "198.51.100.1"

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("for=198.51.100.1", "198.51.100.1"),
            ('For="[2001:db8::1]:4711";proto=https;by=10.0.0.1', "2001:db8::1"),
            ("proto=https; for=198.51.100.1:80", "198.51.100.1"),
            ("for=203.0.113.9, for=198.51.100.1;host=x, for=10.9.9.9", "198.51.100.1"),
            ("for=203.0.113.9, proto=https", None),
            ("for=_hidden", None),
        ],
    )
    def test_rfc_7239(self, value: str, expected: str | None) -> None:
        assert client("10.0.0.1", ("forwarded", value), header="forwarded") == expected

    def test_the_header_that_the_proxies_do_not_write_is_the_clients_own(self) -> None:
        headers = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=203.0.113.9")]
        assert client("10.0.0.1", *headers) == "198.51.100.1"
        assert client("10.0.0.1", *headers, header="forwarded") == "203.0.113.9"

    @given(st.text(), st.ip_addresses().filter(lambda each: not is_within(str(each), PROXIES)))
    def test_nothing_a_client_writes_changes_what_the_proxy_adds(self, invented: str, real: object) -> None:
        line = f"{invented}, {real}".encode().decode("latin-1")
        addresses = TrustedProxies(PROXIES)
        scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", line.encode("latin-1"))]}
        assert addresses.client_address(scope) == str(parse_address(str(real)))


class TestRootPath:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("/umail", "/umail"),
            ("/umail/", "/umail"),
            ("/a.b/c~d_e-f", "/a.b/c~d_e-f"),
            ("/", ""),
            *((value, "/set") for value in ("umail", "//evil.example", "/a//b", "/../b", "/a b", '/"', "/%2f", "/é")),
            ("/" + "a" * 200, "/set"),
        ],
    )
    def test_a_trusted_proxy_says_a_plain_path(self, value: str, expected: str) -> None:
        proxies = TrustedProxies(PROXIES, root_path="/set")
        headers = [(b"x-forwarded-prefix", value.encode("latin-1"))]
        assert proxies.root_path({"client": ("10.0.0.1", 1), "headers": headers}) == expected
        assert proxies.root_path({"client": ("192.0.2.1", 1), "headers": headers}) == "/set"
        assert TrustedProxies(root_path="/set").root_path({"client": ("10.0.0.1", 1), "headers": headers}) == "/set"

    def test_two_that_differ_say_nothing(self) -> None:
        headers = [(b"x-forwarded-prefix", b"/a"), (b"x-forwarded-prefix", b"/b")]
        assert TrustedProxies(PROXIES).root_path({"client": ("10.0.0.1", 1), "headers": headers}) == ""


class TestNetworks:
    def test_what_is_no_address_is_in_no_network(self) -> None:
        everywhere = [ip_network("0.0.0.0/0"), ip_network("::/0")]
        assert is_within("192.0.2.1", everywhere)
        for text in (None, "", "example.com", "192.0.2", "1.2.3.4/32", "testclient"):
            assert not is_within(text, everywhere)

    def test_mapped_addresses_and_zones(self) -> None:
        assert is_within("::ffff:10.1.1.1", PROXIES)
        assert is_within("fd00::1%eth0", PROXIES)

    def test_an_ipv6_subscriber_has_a_64(self) -> None:
        assert subscriber("2001:db8::1") == subscriber("2001:db8::ffff:1") == "2001:db8::/64"
        assert subscriber("2001:db8:0:1::1") != subscriber("2001:db8::1")
        assert subscriber("192.0.2.1") == subscriber("::ffff:192.0.2.1") == "192.0.2.1"
        assert subscriber(None) == subscriber("nonsense") == "unknown"
