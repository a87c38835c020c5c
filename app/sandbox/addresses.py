"""What the platform takes for an e-mail address or a domain name."""

import re

_DOMAIN = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
_DOMAIN_PATTERN = re.compile(_DOMAIN)
_ADDRESS_PATTERN = re.compile(rf"[a-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_DOMAIN}")


def is_address(text: str) -> bool:
    """Say whether lower-cased text is an address that the platform accepts."""
    return _ADDRESS_PATTERN.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """Say whether lower-cased text is a domain name."""
    return _DOMAIN_PATTERN.fullmatch(text) is not None


def dns_configured(domain: str, *, soon: bool = False) -> bool:
    """Say whether the DNS records of a domain pass the platform's check.

    The sandbox asks no name server: a domain passes when one of its labels is ``verified`` or starts with
    ``verified-``; with a label ``soon``, only some time after it was added.
    """
    labels = domain.split(".")
    return (soon and "soon" in labels) or any(re.match(r"verified(-|\Z)", label) for label in labels)
