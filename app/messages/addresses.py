"""E-mail addresses in the form every relay understands.

Local parts are ASCII, and domain names go out as A-labels (RFC 5890), so no address needs SMTPUTF8 (RFC 6531): a
message is the same whether the relay offers that extension or not.
"""

from email_validator import validate_email


def ascii_address(address: str) -> str:
    """Return an address with its domain as A-labels in lower case.

    Raises:
        email_validator.EmailNotValidError: not an address, or one whose local part is not ASCII.
    """
    found = validate_email(address, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False)
    return f"{found.ascii_local_part}@{found.ascii_domain}"


def domain_of(address: str) -> str:
    """Return what follows the `@`."""
    return address.rpartition("@")[2]
