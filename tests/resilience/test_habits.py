"""Every read and every export against every habit of PHP services: answers are right, refused or cut.

The platform's replies are those of the golden files `many`, `one` and `none`. A habit changes one reply at a time;
where it leaves the reply alone there is nothing to see.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.gateway.operation import Effect
from app.sandbox.changes import Habit
from app.sandbox.dialect import HTML, SandboxReply
from app.sandbox.habits import REPAIRABLE, UNTRUSTWORTHY
from tests.golden.test_golden import HERE, KEYS, NOW, output_of
from tests.support.operations import operations
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

LOOKUPS = {
    "campaigns.get",
    "contacts.get",
    "lists.get",
    "statistics.daily",
    "statistics.get",
    "templates.get",
    "templates.review",
    "tracking.overview",
}
"""Operations that ask for one thing by name, so that an answer about another one can be told."""
UNNAMED = {("statistics.get", "one")}
"""Cases whose answers do not say what they are about: statistics that a campaign's id asks for have no such id."""


@dataclass(frozen=True)
class Case:
    """A golden file of a read, with the replies it takes."""

    operation: str
    name: str
    golden: dict[str, Any]
    replies: tuple[SandboxReply, ...]

    def under(self, habit: Habit) -> Iterator[tuple[SandboxReply, ...]]:
        """Return the replies with a habit in one of them, as often as it changes one."""
        for place, reply in enumerate(self.replies):
            changed = habit(reply)
            if changed != reply:
                yield (*self.replies[:place], changed, *self.replies[place + 1 :])


def _case(operation: str, path: Path) -> Case:
    golden = json.loads(path.read_text())
    files = sorted(path.parent.glob(f"{path.stem}.reply*"))
    options = golden.get("reply", {})
    each = options if isinstance(options, list) else [options] * len(files)
    replies = tuple(
        SandboxReply(file.read_bytes(), option.get("content_type", HTML))
        for file, option in zip(files, each, strict=True)
    )
    return Case(operation, path.stem, golden, replies)


@cache
def _cases() -> list[Case]:
    reads = [each.name for each in operations() if each.effect is Effect.READ]
    return [
        _case(name, HERE.joinpath(*name.split("."), f"{kind}.json"))
        for name in reads
        for kind in ("many", "one", "none")
    ]


class Platform:
    """A platform that gives the replies it is told to; the last one repeats."""

    def __init__(self) -> None:
        self.replies: list[SandboxReply] = []

    def answer(self, _request: httpx2.Request) -> httpx2.Response:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        headers = {"Content-Type": reply.content_type, **reply.headers}
        return httpx2.Response(reply.status, headers=headers, stream=httpx2.ByteStream(reply.body))


Ask = Any


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask() -> AsyncIterator[Ask]:
    """Ask for a case with the replies given; returns what came as golden files write it, or how it was cut."""
    platform = Platform()
    app = make_app(
        [make_tenant(tenant_id=role, role=role, suffix=role) for role in ("customer", "manager")],
        httpx2.MockTransport(platform.answer),
        now=lambda: NOW,
    )
    async with client_of(app, None) as client:

        async def ask(case: Case, replies: tuple[SandboxReply, ...]) -> dict[str, Any] | str:
            platform.replies = list(replies)
            given = case.golden["input"]
            headers = {"X-API-Key": KEYS[given.get("key", "all")] + given.get("role", "customer")}
            try:
                response = await client.get(given["path"], headers={**headers, **given.get("headers", {})})
            except Exception as error:  # noqa: BLE001 - whatever ends an answer that has begun
                return f"cut: {type(error).__name__}"
            return output_of(response)

        yield ask


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("habit", REPAIRABLE)
async def test_what_can_be_read_is_read_and_means_the_same(ask: Ask, habit: str) -> None:
    wrong = [
        (case.operation, case.name, answer)
        for case in _cases()
        for replies in case.under(REPAIRABLE[habit])
        if (answer := await ask(case, replies)) != case.golden["output"]
        # A listing that had to be repaired does not prove that something is missing from it.
        if not (case.golden["output"]["status"] == 404 and _refused(answer))
    ]
    assert not wrong


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("habit", UNTRUSTWORTHY)
async def test_what_cannot_be_trusted_is_refused_or_cut(ask: Ask, habit: str) -> None:
    wrong = [
        (case.operation, case.name, answer)
        for case in _cases()
        if habit not in {"another", "twice"} or case.operation in LOOKUPS
        if habit != "another" or (case.operation, case.name) not in UNNAMED
        for replies in case.under(UNTRUSTWORTHY[habit])
        if (answer := await ask(case, replies)) != case.golden["output"] and not _refused(answer)
        if _without_campaigns(answer) != _without_campaigns(case.golden["output"])
        or case.operation != "statistics.list"
    ]
    assert not wrong


def _without_campaigns(answer: Any) -> Any:
    """Leave out what statistics have from the day's campaigns, which is null where those cannot be trusted."""
    if isinstance(answer, str) or "data" not in answer["body"]:
        return answer
    return {**answer, "body": [{**row, "campaign_id": None} for row in answer["body"]["data"]]}


def _refused(answer: dict[str, Any] | str) -> bool:
    return isinstance(answer, str) or (answer["status"], answer["body"].get("code")) == (502, "upstream_malformed")
