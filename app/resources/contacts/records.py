"""How the platform writes contacts and what became of them (manual 4.8 to 4.10), misspellings included."""

import re

from app.api.contact_rows import SEX_CODES, VARIABLES, NewContact
from app.resources.contacts.schemas import BatchAccepted, Contact, ContactChanges
from app.upstream.records import Combined, Element, Record
from app.upstream.values import day, identifier, integer, local_time, word

_ZERO_DATE = "0000-00-00"
_COUNTED = {
    "added": re.compile(r"成功添加\s*([0-9]{1,6})\s*个"),
    "refused": re.compile(r"无效地址\s*([0-9]{1,6})\s*个"),
    "updated": re.compile(r"重复地址\s*([0-9]{1,6})\s*个"),
}
"""What the platform's text tells of a batch, in its order."""


def _variables(*values: str | None) -> dict[str, str]:
    return {name: value for name, value in zip(VARIABLES, values, strict=True) if value is not None}


CONTACT = Record(
    Contact,
    {
        "id": Element("id", convert=integer, required=True),
        "list_id": Element("list_id", convert=identifier),
        "email": Element("address"),
        "name": Element("fullname"),
        "sex": Element("sex", convert=word({"m": "male", "f": "female", "男": "male", "女": "female"}), optional=True),
        "birthday": Element("birthday", "brithday", convert=day),
        "phone": Element("phone"),
        "area": Element("area"),
        "created_at": Element("time", convert=local_time),
        **{name: Element(name, optional=True) for name in VARIABLES},
    },
    combined={"variables": Combined(_variables, *VARIABLES)},
)


def written_fields(contact: NewContact | ContactChanges) -> dict[str, str]:
    """Write the fields given as the platform names them; null clears, which a birthday does by its zero date."""
    given = contact.model_fields_set
    written = {
        "address": contact.email,
        "fullname": contact.name or "",
        "sex": SEX_CODES[contact.sex] if contact.sex else "",
        "birthday": contact.birthday.isoformat() if contact.birthday else _ZERO_DATE,
        "phone": contact.phone or "",
        "area": contact.area or "",
    }
    names = {"email": "address", "name": "fullname"}
    fields = {names.get(name, name): written[names.get(name, name)] for name in sorted(given - {"variables"})}
    return fields | {name: value or "" for name, value in contact.variables.items()}


def batch_accepted(message: str | None, count: int) -> BatchAccepted:
    """Return what the platform's text tells of a batch; figures that do not add up tell nothing."""
    counts = [each.findall(message or "") for each in _COUNTED.values()]
    told = [int(found[0]) for found in counts if len(found) == 1]
    added, refused, updated = told if len(told) == len(_COUNTED) and sum(told) == count else [None] * 3
    return BatchAccepted(accepted=count, added=added, updated=updated, refused=refused, upstream_message=message)
