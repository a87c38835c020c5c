"""The platform's line form of contacts (manual 4.9.2 and 4.9.3; rules as seen in the platform's importer)."""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from app.sandbox.models import ContactFields
from app.sandbox.times import ZERO_DATE

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


HEADER = "邮件地址"
VARIABLE_COUNT = 10

_SEPARATORS = re.compile("[;；,，\t]")
_SEXES = {"男": "M", "m": "M", "女": "F", "f": "F"}


def split_file(content: bytes) -> list[str] | None:
    """Decode an uploaded file (UTF-8, else GBK) and split it into lines; ``None`` when it is not text."""
    for encoding in ("utf-8-sig", "gbk"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return None


def read_lines(lines: Iterable[str]) -> Iterator[ContactFields | None]:
    """Read lines into contact fields; blank lines and the heading give nothing, an invalid address ``None``."""
    for line in lines:
        cells = [cell.strip() for cell in _SEPARATORS.split(line.strip("\r\n"))]
        if any(cells) and cells[0] != HEADER:
            yield contact_fields(cells)


def contact_fields(cells: list[str]) -> ContactFields | None:
    """Make contact fields of the cells address, name, sex, birthday, phone, area, variables 1 to 10."""
    address = cells[0].lower()
    if not is_address(address):
        return None
    name, sex, birthday, phone, area, *variables = [*cells[1:], *[""] * 5][: max(5, len(cells) - 1)]
    return ContactFields(
        address=address,
        fullname=name or None,
        sex=read_sex(sex),
        birthday=read_birthday(birthday),
        phone=phone or None,
        area=area or None,
        variables={number: value for number, value in enumerate(variables[:VARIABLE_COUNT], 1) if value},
    )


def read_sex(text: str) -> str | None:
    """Read 男, 女, M or F; anything else leaves the stored value alone."""
    return _SEXES.get(text.lower())


def read_birthday(text: str) -> str | None:
    """Read a day; an impossible one becomes the zero date, an empty one leaves the stored value alone."""
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ZERO_DATE
