"""What checks come to, and how what was asked of the platform becomes that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.preflight.facts import Told
from app.preflight.schemas import Code, Status
from app.texts import Text, sentence


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check has come to."""

    code: Code
    status: Status
    message: str
    pointer: str | None


def is_status(fact: Told[Any], status: str) -> bool:
    return fact.value is not None and fact.value.status == status


def by_facts(code: Code, facts: Sequence[Told[Any]], passed: Text, pointer: str) -> Outcome:
    missing = next((fact for fact in facts if fact.value is None), None)
    if missing is not None:
        return Outcome(code, "unknown", unknown(missing), pointer)
    return Outcome(code, "pass", passed, pointer)


def unknown(fact: Told[Any]) -> Text:
    return sentence("This cannot be told: asking ended in `{code}`.", code=fact.reason or "not_found")


def listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
