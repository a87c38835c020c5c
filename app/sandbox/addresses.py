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


def dns_configured(domain: str) -> bool:
    """Say whether the DNS records of a domain pass the platform's check.

    The sandbox asks no name server: a domain passes when one of its labels is ``verified`` or starts with
    ``verified-``, so a caller chooses the outcome with the name.
    """
    return any(label == "verified" or label.startswith("verified-") for label in domain.split("."))
