"""What an operation is given: the account, the moment, and the parameters of the call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from app.sandbox.dialect import PlatformError, SandboxReply
from app.sandbox.journal import ReceivedCall, UploadedFile
from app.sandbox.state import AccountState, World
from app.sandbox.times import parse_date

Record = TypeVar("Record")


@dataclass(frozen=True)
class Context:
    """One call of one account. ``state`` has been advanced to ``now``."""

    call: ReceivedCall
    world: World
    state: AccountState
    now: datetime

    def query(self, name: str) -> str:
        """Answer a parameter that the manual allows in the URL only; empty when it is missing."""
        return self.call.query.get(name, "").strip()

    def form(self, *names: str) -> str:
        """Answer a POST parameter, under the first of several spellings that has a value."""
        return next(filter(None, (self.call.form.get(name, "") for name in names)), "")

    def text(self, name: str) -> str:
        """Answer a parameter that may come either way; the form wins, as in PHP's ``$_REQUEST``."""
        return self.call.form.get(name, self.call.query.get(name, ""))

    def has(self, name: str) -> bool:
        """Say whether a parameter came at all, even empty."""
        return name in self.call.form or name in self.call.query

    def required(self, name: str) -> str:
        """Answer a parameter that may come either way and must have a value."""
        value = self.text(name).strip()
        if not value:
            raise PlatformError("param_error", f"缺少必要参数 {name}")
        return value

    def required_query(self, name: str) -> str:
        """Answer a parameter that must stand in the URL."""
        value = self.query(name)
        if not value:
            raise PlatformError("param_error", f"缺少必要参数 {name}")
        return value

    def number(self, name: str, default: int) -> int:
        """Answer a whole number that may come either way; anything else is refused."""
        return read_number(self.text(name), default)

    def query_number(self, name: str, default: int) -> int:
        """Answer a whole number of the URL."""
        return read_number(self.query(name), default)

    def day(self, name: str) -> date | None:
        """Answer a day of the URL, ``None`` when it is missing; a wrong form is refused."""
        if not self.query(name):
            return None
        day = parse_date(self.query(name))
        if day is None:
            raise PlatformError("param_error", f"参数 {name} 格式必须是 YYYY-MM-dd")
        return day

    def required_day(self, name: str) -> date:
        """Answer a day of the URL that must be there."""
        day = self.day(name)
        if day is None:
            raise PlatformError("param_error", f"缺少必要参数 {name}")
        return day

    def files(self) -> list[UploadedFile]:
        """Answer the uploaded files, named ``file`` or ``file[]``."""
        return [item for item in self.call.files if item.name in {"file", "file[]"}]


Operation = Callable[[Context], SandboxReply]


def read_number(text: str, default: int) -> int:
    """Read a whole number; an empty text gives the default."""
    if not text.strip():
        return default
    try:
        return int(text)
    except ValueError as error:
        raise PlatformError("param_error") from error


def find(records: Mapping[int, Record], text: str) -> Record:
    """Answer the record with this number among an account's own; anything else does not exist."""
    record = records.get(read_number(text, 0))
    if record is None:
        raise PlatformError("not_exist")
    return record


def page_of(records: Sequence[Record], context: Context, default_limit: int, *, always: bool = False) -> list[Record]:
    """Cut a page by the URL's ``page`` and ``limit``; without ``page`` everything is answered.

    ``always`` pages as soon as one of the two is given, which is how section 6.1 words it.
    """
    asked = context.query("page") or (always and context.query("limit"))
    if not asked:
        return list(records)
    limit = max(context.query_number("limit", default_limit), 1)
    start = (max(context.query_number("page", 1), 1) - 1) * limit
    return list(records[start : start + limit])
