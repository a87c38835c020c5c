"""Field types that public models share, each refusing what would not survive the way to the platform and back."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    SecretStr,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

_LINE_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff"
_TEXT_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff"


def described(*, lines: bool = False, without: str = "", visible: str | None = None) -> Any:
    """Return an annotation that describes a text by a pattern and checks nothing.

    Args:
        without: characters it must not hold, as they stand in a character class.
        visible: if it must hold a character besides blanks, further characters beside which it must hold one.
    """
    refused = f"{_TEXT_CONTROLS if lines else _LINE_CONTROLS}{without}"
    pattern = f"^[^{refused}]*$" if visible is None else rf"^[^{refused}]*[^\s{refused}{visible}][^{refused}]*$"
    return Field(json_schema_extra={"pattern": pattern})


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_PASSWORD = 128
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_MOMENT = re.compile(
    r"[0-9-]{10}[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def single_line(value: str) -> str:
    """Return a text without line breaks or control characters; raises `PydanticCustomError` where it has some."""
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "must not contain line breaks or control characters")
    return value


def _multi_line(value: str) -> str:
    if _UNWRITABLE.search(value):
        raise PydanticCustomError("control_character", "must not contain control characters")
    return value


def _secret_line(value: SecretStr) -> SecretStr:
    # The framework's own length errors tell how long the password is.
    if not 1 <= len(single_line(value.get_secret_value())) <= _LONGEST_PASSWORD:
        raise PydanticCustomError("password_length", "must have 1 to 128 characters")
    return value


def _email(value: str) -> str:
    try:
        found = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        raise _not_an_email(value) from None
    # The address goes out as it was given, so one that the validator would only take after rewriting it is refused.
    if value.rpartition("@")[2].lower() not in {found.domain, found.ascii_domain}:
        raise PydanticCustomError("email_address", "is not an e-mail address: its domain is not one as it stands")
    return value


def _not_an_email(value: str) -> PydanticCustomError:
    _, at, domain = value.rpartition("@")
    if not at:
        return PydanticCustomError("email_address", "is not an e-mail address: it has no @")
    try:
        validate_email(f"a@{domain}", check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return PydanticCustomError("email_address", "is not an e-mail address: its domain is not valid")
    return PydanticCustomError("email_address", "is not an e-mail address: the part before the @ is not valid")


def _domain(value: str) -> str:
    error = PydanticCustomError("domain_name", "is not a domain name")
    if "." not in value or value.rpartition(".")[2].isdecimal():
        raise error
    try:
        found = validate_email(f"a@{value}", check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise error from None
    # What the validator would only take after rewriting it (full-width letters, say) is not a name as it stands.
    if value not in {found.domain, found.ascii_domain}:
        raise error
    return value


def _integer(value: Any) -> Any:
    # Pydantic alone would also read 1_0, +1, 01 and 1.0, and so take one resource for another.
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise PydanticCustomError("int_parsing", "must be an integer, written in digits")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise PydanticCustomError("bool_parsing", "must be true or false")
    return value


def _iso_date(value: Any) -> Any:
    # Pydantic alone would also take timestamps and date-times.
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise PydanticCustomError("date_format", "must be a date written YYYY-MM-DD")
    if isinstance(value, str):
        return _parsed_date(value)
    if not isinstance(value, date):
        raise PydanticCustomError("date_type", "must be a date written YYYY-MM-DD")
    return value


def _parsed_date(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("date_value", "is not a day of the calendar") from None


def _moment(value: Any) -> Any:
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise PydanticCustomError("time_format", "must be a time as in RFC 3339, like 2026-03-02T09:30:00+08:00")
    if not match["offset"]:
        raise PydanticCustomError("offset_missing", "must end in its offset from UTC, like +08:00 or Z")
    return _parsed_moment(match[0])


def _parsed_moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise PydanticCustomError("time_value", "is not a time of the calendar") from None
    # The calendar's last years leave no room for another zone's local time.
    if not 1970 <= moment.year <= 9998:
        raise PydanticCustomError("time_range", "must lie in the years 1970 to 9998")
    return moment


Line = Annotated[str, AfterValidator(single_line), described()]
"""Text without line breaks or control characters."""

Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, strip_whitespace=True),
    AfterValidator(single_line),
    described(visible=""),
]
"""A name that people read: not empty, one line."""

HeaderText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=998, strip_whitespace=True),
    AfterValidator(single_line),
    described(visible=""),
]
"""One line that is not empty, as long as a line of e-mail may be (RFC 5322, section 2.1.1)."""

ShortText = Annotated[str, StringConstraints(max_length=255), AfterValidator(single_line), described()]
"""One line of text, possibly empty."""

LongText = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_multi_line), described(lines=True)]
DocumentText = Annotated[
    str, StringConstraints(max_length=2 * 1024 * 1024), AfterValidator(_multi_line), described(lines=True)
]
"""A whole document, HTML or plain."""

EmailAddress = Annotated[
    str,
    StringConstraints(max_length=254, strip_whitespace=True),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
"""An e-mail address (RFC 5321), checked for form only: ASCII before the `@`, a domain that could be public after it."""

DomainName = Annotated[
    str,
    StringConstraints(max_length=253, strip_whitespace=True, to_lower=True),
    AfterValidator(_domain),
    Field(json_schema_extra={"format": "idn-hostname"}),
]
"""A domain name of at least two labels, in lower case; an internationalized one in either of its spellings."""

Password = Annotated[
    SecretStr,
    AfterValidator(_secret_line),
    described(),
    Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_PASSWORD}),
]
"""A password to pass on: any characters but control characters; nothing shows it."""

IsoDate = Annotated[date, BeforeValidator(_iso_date)]

Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A time with an offset (RFC 3339)."""

DIGITS = BeforeValidator(_integer)
"""Has an integer of paths and queries written in digits, without leading zeros.

It stands behind the integer's limits: those behind it would be checked, but the document would not know them.
"""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""A boolean, in queries written `true` or `false`."""

Id = Annotated[int, Field(ge=1, le=2**53 - 1), DIGITS]
"""An id the platform gave out, small enough to be exact in every JSON reader."""

Batch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")]
"""A campaign's batch number."""


Example = dict[str, JsonValue]


class RequestModel(BaseModel):
    """Base of request bodies: unknown fields are refused, and values are not coerced from other JSON types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Changes(RequestModel):
    """Base of PATCH bodies: only the fields given are sent, and at least one must be."""

    def model_post_init(self, _context: Any) -> None:
        """Refuse an empty change; raises `PydanticCustomError` where no field is given."""
        if not self.model_fields_set:
            raise PydanticCustomError("no_changes", "must name at least one field to change")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Describe the defaults away: a field that is not given is not changed, whatever its default."""
        described = handler.resolve_ref_schema(handler(core_schema))
        for field in described["properties"].values():
            field.pop("default", None)
        described["minProperties"] = 1
        return described


class PublicModel(BaseModel):
    """Base of response bodies."""

    # Built when it is first used: most gateways use few of them.
    model_config = ConfigDict(frozen=True, defer_build=True)
