"""What every journal of sends keeps to."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from app.storage.journal.models import Attempt, AttemptState, DuplicateKey, DuplicateSend, Journal
from tests.storage.journal.conftest import Journals
from tests.support.attempts import START, Clock, make_attempt


async def closed(journal: Journal, state: AttemptState, **changes: Any) -> Attempt:
    """Open an attempt and bring it into a state."""
    attempt = await journal.open(make_attempt(**changes))
    if state is AttemptState.CONFIRMED:
        assert await journal.confirm(attempt.id, f"reference of {attempt.id}")
    if state is AttemptState.REFUSED:
        assert await journal.refuse(attempt.id, "refused")
    if state is AttemptState.UNKNOWN:
        assert await journal.unknown(attempt.id, "timed out")
    return attempt


async def stored(journal: Journal, key: str = "key") -> Attempt:
    """Return the acme's attempt with a key."""
    attempt = await journal.find("acme", key)
    assert attempt is not None
    return attempt


STANDING = [AttemptState.PENDING, AttemptState.CONFIRMED, AttemptState.UNKNOWN]


class TestOpen:
    async def test_an_attempt_is_there_afterwards(self, journals: Journals) -> None:
        new = make_attempt(idempotency_key="key")
        opened = await journals.one.open(new)
        assert opened == await journals.other.find("acme", "key")
        assert (opened.id, opened.state, opened.request) == (new.id, AttemptState.PENDING, new.request)
        assert (opened.reference, opened.detail) == (None, None)
        assert opened.created_at == opened.updated_at == START
        assert opened.created_at.tzinfo is UTC

    async def test_ids_differ(self) -> None:
        assert make_attempt().id != make_attempt().id

    @pytest.mark.parametrize("request_", [{}, {"text": "\0 \ud800 😀", "n": 2**70, "x": [1.5, None, True, {"a": {}}]}])
    async def test_requests_are_kept_exactly(self, journal: Journal, request_: Mapping[str, Any]) -> None:
        opened = await journal.open(make_attempt(request=MappingProxyType(request_)))
        assert opened.request == request_

    @pytest.mark.parametrize("state", STANDING)
    async def test_a_key_in_use(self, journal: Journal, state: AttemptState) -> None:
        first = await closed(journal, state, idempotency_key="key")
        with pytest.raises(DuplicateKey) as duplicate:
            await journal.open(make_attempt(idempotency_key="key", fingerprint="f2"))
        assert duplicate.value.earlier == await stored(journal)
        assert duplicate.value.earlier.id == first.id
        assert first.id in str(duplicate.value)

    async def test_a_refused_attempt_is_superseded(self, journal: Journal) -> None:
        await closed(journal, AttemptState.REFUSED, idempotency_key="key")
        second = await journal.open(make_attempt(idempotency_key="key"))
        assert (await stored(journal)).id == second.id
        with pytest.raises(DuplicateKey):
            await journal.open(make_attempt(idempotency_key="key"))

    async def test_keys_of_others_do_not_matter(self, journal: Journal) -> None:
        await journal.open(make_attempt(idempotency_key="key"))
        for changes in ({"tenant": "rival"}, {"operation": "messages.submit"}, {"idempotency_key": "other"}):
            await journal.open(make_attempt(**{"idempotency_key": "key", **changes}))

    async def test_without_a_key_anything_goes(self, journal: Journal) -> None:
        for _ in range(2):
            await journal.open(make_attempt())

    async def test_of_many_at_once_one_gets_the_key(self, journals: Journals) -> None:
        results = await asyncio.gather(
            *(each.open(make_attempt(idempotency_key="key")) for each in (journals.one, journals.other) * 10),
            return_exceptions=True,
        )
        (won,) = (result for result in results if isinstance(result, Attempt))
        losers = [result for result in results if isinstance(result, DuplicateKey)]
        assert len(losers) == 19
        assert {loser.earlier.id for loser in losers} == {won.id}


class TestOpenGuarded:
    @pytest.mark.parametrize("state", STANDING)
    async def test_the_same_again(self, journal: Journal, state: AttemptState, clock: Clock) -> None:
        earlier = await closed(journal, state)
        clock.advance(minutes=5)
        with pytest.raises(DuplicateSend) as duplicate:
            await journal.open_guarded(make_attempt(), unless_since=START)
        assert (duplicate.value.earlier.id, duplicate.value.earlier.state) == (earlier.id, state)

    async def test_the_same_long_ago(self, journal: Journal, clock: Clock) -> None:
        await journal.open(make_attempt())
        clock.advance(minutes=5)
        await journal.open_guarded(make_attempt(), unless_since=START + timedelta(microseconds=1))

    async def test_the_latest_is_told(self, journal: Journal) -> None:
        for _ in range(2):
            latest = await journal.open(make_attempt())
        with pytest.raises(DuplicateSend) as duplicate:
            await journal.open_guarded(make_attempt(), unless_since=START)
        assert duplicate.value.earlier.id == latest.id

    async def test_the_same_refused(self, journal: Journal) -> None:
        await closed(journal, AttemptState.REFUSED)
        await journal.open_guarded(make_attempt(), unless_since=START)

    @pytest.mark.parametrize(
        "changes", [{"tenant": "rival"}, {"operation": "messages.submit"}, {"fingerprint": "f2"}], ids=str
    )
    async def test_something_else(self, journal: Journal, changes: dict[str, str]) -> None:
        await journal.open(make_attempt())
        await journal.open_guarded(make_attempt(**changes), unless_since=START)

    async def test_a_key_in_use_comes_first(self, journal: Journal) -> None:
        await journal.open(make_attempt(idempotency_key="key"))
        with pytest.raises(DuplicateKey):
            await journal.open_guarded(make_attempt(idempotency_key="key"), unless_since=START)

    async def test_a_new_key_does_not_help(self, journal: Journal) -> None:
        await journal.open(make_attempt(idempotency_key="key"))
        with pytest.raises(DuplicateSend):
            await journal.open_guarded(make_attempt(idempotency_key="other"), unless_since=START)
        assert await journal.find("acme", "other") is None

    async def test_of_many_at_once_one_gets_through(self, journals: Journals) -> None:
        results = await asyncio.gather(
            *(
                each.open_guarded(make_attempt(idempotency_key=f"key {number}"), unless_since=START)
                for number in range(10)
                for each in (journals.one, journals.other)
            ),
            return_exceptions=True,
        )
        (won,) = (result for result in results if isinstance(result, Attempt))
        others = [result.earlier.id for result in results if isinstance(result, DuplicateSend | DuplicateKey)]
        assert others == [won.id] * 19

    async def test_many_different_at_once_all_get_through(self, journals: Journals) -> None:
        results = await asyncio.gather(
            *(
                each.open_guarded(
                    make_attempt(fingerprint=f"{side} {number}", idempotency_key=f"{number} {side}"), unless_since=START
                )
                for number in range(10)
                for side, each in enumerate((journals.one, journals.other))
            )
        )
        assert len({result.id for result in results}) == 20


class TestStates:
    async def test_confirming(self, journal: Journal, clock: Clock) -> None:
        attempt = await journal.open(make_attempt(idempotency_key="key"))
        await journal.unknown(attempt.id, "timed out")
        later = clock.advance(minutes=1)
        assert await journal.confirm(attempt.id, "7020") is True
        found = await stored(journal)
        assert (found.state, found.reference, found.detail) == (AttemptState.CONFIRMED, "7020", None)
        assert (found.created_at, found.updated_at) == (START, later)

    @pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.UNKNOWN])
    async def test_settling(self, journal: Journal, clock: Clock, state: AttemptState) -> None:
        attempt = await journal.open(make_attempt(idempotency_key="key"))
        later = clock.advance(minutes=1)
        assert await (journal.refuse if state is AttemptState.REFUSED else journal.unknown)(attempt.id, "because")
        found = await stored(journal)
        assert (found.state, found.reference, found.detail) == (state, None, "because")
        assert (found.created_at, found.updated_at) == (START, later)

    async def test_confirmed_is_final(self, journal: Journal) -> None:
        attempt = await closed(journal, AttemptState.CONFIRMED, idempotency_key="key")
        before = await stored(journal)
        assert before.reference is not None
        assert await journal.refuse(attempt.id, "late") is False
        assert await journal.unknown(attempt.id, "late") is False
        assert await journal.confirm(attempt.id, "another") is False
        assert await journal.confirm(attempt.id, before.reference) is True
        assert await stored(journal) == before

    async def test_refused_is_final(self, journal: Journal) -> None:
        attempt = await closed(journal, AttemptState.REFUSED, idempotency_key="key")
        before = await stored(journal)
        assert await journal.confirm(attempt.id, "7020") is False
        assert await journal.unknown(attempt.id, "late") is False
        assert await journal.refuse(attempt.id, "again") is True
        assert await stored(journal) == before

    async def test_unknown_may_be_said_again(self, journal: Journal) -> None:
        attempt = await closed(journal, AttemptState.UNKNOWN, idempotency_key="key")
        assert await journal.unknown(attempt.id, "still") is True
        assert (await stored(journal)).detail == "still"
        assert await journal.refuse(attempt.id, "never arrived") is True

    async def test_attempts_that_are_not_there(self, journal: Journal) -> None:
        assert await journal.confirm("nobody", "7020") is False
        assert await journal.refuse("nobody", "") is False
        assert await journal.unknown("nobody", "") is False

    async def test_a_reference_belongs_to_one_attempt(self, journal: Journal) -> None:
        first, second = await journal.open(make_attempt()), await journal.open(make_attempt(idempotency_key="key"))
        assert await journal.confirm(first.id, "7020") is True
        assert await journal.confirm(second.id, "7020") is False
        assert (await stored(journal)).state is AttemptState.PENDING
        assert await journal.confirm(second.id, "7021") is True

    async def test_references_of_others_do_not_matter(self, journal: Journal) -> None:
        for changes in ({}, {"tenant": "rival"}, {"operation": "campaigns.edit_queued"}):
            attempt = await journal.open(make_attempt(**changes))
            assert await journal.confirm(attempt.id, "7020") is True

    async def test_of_many_at_once_one_gets_the_reference(self, journals: Journals) -> None:
        attempts = [await journals.one.open(make_attempt()) for _ in range(10)]
        results = await asyncio.gather(
            *(each.confirm(attempt.id, "7020") for attempt in attempts for each in (journals.one, journals.other))
        )
        assert sum(results) == 2
        assert len(await journals.one.unresolved("acme", "campaigns.create", START)) == 9

    @pytest.mark.parametrize("detail", ["", "\0 \ud800 😀", "长" * 100_000])
    async def test_any_detail_can_be_kept(self, journal: Journal, detail: str) -> None:
        attempt = await journal.open(make_attempt(idempotency_key="key"))
        assert await journal.unknown(attempt.id, detail)
        found = (await stored(journal)).detail
        assert found == detail[:2000].replace("\0", "\ufffd").replace("\ud800", "?")


class TestLookingBack:
    async def test_a_key_nobody_used(self, journal: Journal) -> None:
        await journal.open(make_attempt(tenant="rival", idempotency_key="key"))
        assert await journal.find("acme", "key") is None

    async def test_the_latest_of_several_operations(self, journal: Journal, clock: Clock) -> None:
        await journal.open(make_attempt(idempotency_key="key"))
        clock.advance(minutes=-5)
        second = await journal.open(make_attempt(idempotency_key="key", operation="messages.submit"))
        assert (await stored(journal)).id == second.id

    async def test_references(self, journal: Journal, clock: Clock) -> None:
        for reference, changes in (("1", {}), ("2", {"tenant": "rival"}), ("3", {"operation": "messages.submit"})):
            await journal.confirm((await journal.open(make_attempt(**changes))).id, reference)
        later = clock.advance(minutes=1)
        await journal.confirm((await journal.open(make_attempt())).id, "4")
        await journal.open(make_attempt())
        assert await journal.references("acme", "campaigns.create", START) == {"1", "4"}
        assert await journal.references("acme", "campaigns.create", later) == {"4"}

    async def test_unresolved(self, journal: Journal, clock: Clock) -> None:
        first = [await closed(journal, state) for state in AttemptState]
        await journal.open(make_attempt(tenant="rival"))
        await journal.open(make_attempt(operation="messages.submit"))
        later = clock.advance(minutes=1)
        second = await closed(journal, AttemptState.UNKNOWN)
        found = await journal.unresolved("acme", "campaigns.create", START)
        assert [attempt.id for attempt in found] == [first[0].id, first[3].id, second.id]
        assert [attempt.state for attempt in found] == ["pending", "unknown", "unknown"]
        assert [each.id for each in await journal.unresolved("acme", "campaigns.create", later)] == [second.id]

    async def test_forgetting(self, journal: Journal, clock: Clock) -> None:
        for state in AttemptState:
            await closed(journal, state)
        later = clock.advance(days=90)
        kept = await journal.open(make_attempt(idempotency_key="key"))
        assert await journal.forget(later) == 4
        assert await journal.forget(later) == 0
        assert [each.id for each in await journal.unresolved("acme", "campaigns.create", START)] == [kept.id]

    async def test_it_can_be_used(self, journal: Journal) -> None:
        await journal.check()
