"""What people enter: passwords, which are never arguments, and times."""

import re
import sys
from datetime import UTC, datetime, timedelta

import typer
from pydantic import AwareDatetime, SecretStr, TypeAdapter, ValidationError

from app.cli.starting import fail

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
_UNITS = {"h": "hours", "d": "days"}
_TIMES: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def read_password(what: str, *, from_stdin: bool) -> SecretStr:
    """Return a password: the next line of standard input, or what is typed, unseen, at a prompt."""
    if not from_stdin and not sys.stdin.isatty():
        fail(f"There is no terminal to ask for the {what}: use --password-stdin.")
    try:
        text = sys.stdin.readline().rstrip("\r\n") if from_stdin else typer.prompt(what, hide_input=True, err=True)
        text.encode()
    except UnicodeError:
        fail(f"The {what} is not UTF-8.")
    if not text:
        fail(f"The {what} is empty.")
    return SecretStr(text)


def parse_expiry(text: str | None, option: str = "--expires") -> datetime | None:
    """Return the moment that `90d`, `12h` or an RFC 3339 time with an offset stands for; it must be in the future."""
    if text is None:
        return None
    now = datetime.now(UTC)
    span = _SPAN.fullmatch(text)
    try:
        moment = now + timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else _TIMES.validate_strings(text)
    except ValidationError:
        fail(f"{option}: must be a span such as 90d or 12h, or a time such as 2030-01-31T00:00:00Z")
    if moment <= now:
        fail(f"{option}: must be in the future")
    return moment


def confirm(question: str, *, yes: bool) -> None:
    """End the command unless the answer is yes."""
    if not yes and not sys.stdin.isatty():
        fail("There is no terminal to ask: use --yes.")
    if not yes and not typer.confirm(question, err=True):
        fail("Nothing was done.", code=1)
