"""Contacts as rows: what a new contact may say, and the platform's line form of one (manual 4.9.2 and 4.9.3).

A line has sixteen columns separated by semicolons. The platform's importer also splits on full-width semicolons,
commas and tabs and knows no escape, so a `Cell` refuses a value that holds any of them.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from app.api.types import EmailAddress, Example, IsoDate, Line, RequestModel, ShortText, described

Sex = TypeAliasType("Sex", Annotated[Literal["male", "female"], Field(description="A contact's sex.")])


VariableName = Literal["var1", "var2", "var3", "var4", "var5", "var6", "var7", "var8", "var9", "var10"]

SEX_CODES = {"male": "M", "female": "F"}
VARIABLES = tuple(f"var{number}" for number in range(1, 11))

CONTACT_EXAMPLE: Example = {
    "email": "li.na@example.com",
    "name": "李娜",
    "sex": "female",
    "birthday": "1988-04-08",
    "phone": "075512345678",
    "area": "北京市丰台区",
    "variables": {"var1": "gold", "var2": "spring"},
}

_SEPARATORS = frozenset(";；,，")


def _unseparated(value: str) -> str:
    if not _SEPARATORS.isdisjoint(value):
        raise PydanticCustomError("separator", "must not contain ; or , (also full-width), which separate columns here")
    return value


Cell = Annotated[Line, StringConstraints(max_length=255), AfterValidator(_unseparated), described(without=";；,，")]
"""A value that becomes one column of the platform's line form (manual 4.9.2)."""


_LONGEST_ADDRESS = 320
_APART = re.compile("[;；,，\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_one_address(value: str) -> bool:
    """Tell whether the platform would read a text as one address, whatever the standards say of that address."""
    return 0 < len(value) <= _LONGEST_ADDRESS and not _APART.search(value)


def _held(value: str) -> str:
    if not is_one_address(value) or "@" not in value.strip("@"):
        raise PydanticCustomError("email_address", "must be one address, as the platform shows it")
    return value


HeldAddress = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(_held), Field(json_schema_extra={"maxLength": 320})
]
"""An address that the platform may hold already; `EmailAddress` would refuse many of those."""

_DOMAIN = re.compile(r"[^\s/@;,\x00-\x1f\x7f]+\.[^\s/@;,\x00-\x1f\x7f]+")


def _held_domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise PydanticCustomError("domain_name", "is not a domain name")
    return value


HeldDomain = Annotated[
    str, StringConstraints(max_length=253, strip_whitespace=True, to_lower=True), AfterValidator(_held_domain)
]
"""A domain that the platform may hold already, such as one with an underscore."""


class NewContact(RequestModel):
    """A contact to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONTACT_EXAMPLE, {"email": "zhang.wei@example.com"}]})

    email: Annotated[EmailAddress, Field(description="The contact's e-mail address.")]
    name: Annotated[ShortText | None, Field(description="The contact's name.")] = None
    sex: Annotated[Sex | None, Field(description="The contact's sex.")] = None
    birthday: Annotated[IsoDate | None, Field(description="The contact's birthday.")] = None
    phone: Annotated[ShortText | None, Field(description="Kept as text: leading zeros matter.")] = None
    area: Annotated[ShortText | None, Field(description="Where the contact lives, in any words.")] = None
    variables: dict[VariableName, ShortText] = Field(
        default_factory=dict, description="`var1` to `var10`, which templates can show."
    )


class ContactRow(NewContact):
    """A contact among others: as a single one, but no value may hold the characters that separate columns."""

    name: Annotated[Cell | None, Field(description="The contact's name.")] = None
    phone: Annotated[Cell | None, Field(description="Kept as text: leading zeros matter.")] = None
    area: Annotated[Cell | None, Field(description="Where the contact lives, in any words.")] = None
    variables: dict[VariableName, Cell] = Field(
        default_factory=dict, description="`var1` to `var10`, which templates can show."
    )


def write_line(contact: ContactRow) -> str:
    """Return a contact as one line without its line break; columns at the end that are empty are left out."""
    variables = {str(name): value for name, value in contact.variables.items()}
    columns = [
        contact.email,
        contact.name or "",
        SEX_CODES[contact.sex] if contact.sex else "",
        contact.birthday.isoformat() if contact.birthday else "",
        contact.phone or "",
        contact.area or "",
        *(variables.get(name, "") for name in VARIABLES),
    ]
    return ";".join(columns).rstrip(";")
