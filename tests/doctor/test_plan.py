"""No read is forgotten, none is anything but a read, and what each is asked with is told by an earlier one."""

import re

import pytest

from app.doctor.diagnosis import PLAN, choose
from app.doctor.findings import UnknownOperation
from app.gateway.checks import DAY, IMPORT_ID, NOTHING, AnyCheck, Check, same
from app.gateway.operation import Effect
from app.resources.lists.operations import DELETE
from tests.support.conformance import document
from tests.support.operations import operations


def names(checks: object) -> list[str]:
    """Return the names of checks' operations."""
    return [check.operation.name for check in checks]  # type: ignore[attr-defined]


def test_every_read_and_export_is_in_the_plan() -> None:
    reads = [operation.name for operation in operations() if operation.effect is Effect.READ]
    assert sorted(names(PLAN)) == sorted(reads)


def test_only_reads_can_be() -> None:
    with pytest.raises(ValueError, match=r"lists.delete is not a read"):
        Check(operation=DELETE, by=NOTHING, ask=lambda _: 1, path=None)


def test_what_a_read_is_asked_with_is_told_before() -> None:
    told = {NOTHING, DAY, IMPORT_ID}
    for check in PLAN:
        assert check.by in told, check.operation.name
        told |= set(check.tells) if isinstance(check, Check) else set()


@pytest.mark.parametrize("check", [check for check in PLAN if check.path], ids=lambda check: check.operation.name)
def test_its_endpoint_calls_it(check: AnyCheck) -> None:
    assert check.path is not None
    path = check.path.partition("?")[0]
    found = [
        offered
        for template, offered in document()["paths"].items()
        if re.sub(r"\{[^}]+\}", "{}", template) == path and "get" in offered
    ]
    assert [
        each["get"]["x-upstream-operation"]["script"] == check.operation.script
        and each["get"]["x-upstream-operation"].get("do") == check.operation.do
        for each in found
    ] == [True]


class TestChoice:
    def test_all(self) -> None:
        assert choose(()) == PLAN

    def test_what_tells_the_ids_comes_before(self) -> None:
        assert names(choose({"contacts.get"})) == ["lists.list", "contacts.find", "contacts.get"]
        recipients = names(choose({"tracking.recipients", "account.get"}))
        assert recipients == ["account.get", "campaigns.find", "tracking.overview", "tracking.recipients"]

    def test_an_unknown_one(self) -> None:
        with pytest.raises(UnknownOperation, match=r"no read lists.delete; there are account.get, "):
            choose({"lists.delete"})


def test_a_value_is_asked_with_itself() -> None:
    assert same(7) == 7
