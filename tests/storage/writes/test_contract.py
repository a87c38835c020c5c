"""What the journal of sends keeps to, in each kind of database."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from app.storage.writes import attempts, models
from app.storage.writes.models import (
    AttemptState,
    Confirmed,
    DuplicateKey,
    DuplicateSend,
    JournalEntry,
    NewAttempt,
    Settled,
)
from app.storage.writes.store import WriteStore
from tests.storage.writes.conftest import Stores
from tests.support.attempts import START, Clock, make_attempt


async def opened(store: WriteStore, new: NewAttempt, **guards: Any) -> JournalEntry:
    """Open an attempt as a request without a claim does."""
    attempt = await store.begin(new, **guards)
    assert attempt is not None
    return attempt


async def confirm(store: WriteStore, attempt: JournalEntry, reference: str) -> bool:
    return await store.note(attempt, Confirmed(reference))


async def refuse(store: WriteStore, attempt: JournalEntry, detail: str) -> bool:
    return await store.note(attempt, Settled(AttemptState.REFUSED, detail))


async def unknown(store: WriteStore, attempt: JournalEntry, detail: str) -> bool:
    return await store.note(attempt, Settled(AttemptState.UNKNOWN, detail))


async def found(store: WriteStore, key: str) -> JournalEntry | None:
    return (await store.find("acme", key)).attempt


async def closed(store: WriteStore, state: AttemptState, **changes: Any) -> JournalEntry:
    """Open an attempt and bring it into a state."""
    attempt = await opened(store, make_attempt(**changes))
    if state is AttemptState.CONFIRMED:
        assert await confirm(store, attempt, f"reference of {attempt.id}")
    if state is AttemptState.REFUSED:
        assert await refuse(store, attempt, "refused")
    if state is AttemptState.UNKNOWN:
        assert await unknown(store, attempt, "timed out")
    return attempt


async def stored(store: WriteStore, key: str = "key") -> JournalEntry:
    """Return the acme's attempt with a key."""
    attempt = await found(store, key)
    assert attempt is not None
    return attempt


STANDING = [AttemptState.PENDING, AttemptState.CONFIRMED, AttemptState.UNKNOWN]


class TestOpen:
    async def test_an_attempt_is_there_afterwards(self, stores: Stores) -> None:
        new = make_attempt(idempotency_key="key")
        first = await opened(stores.one, new)
        assert first == await found(stores.other, "key")
        assert (first.id, first.state, first.request) == (new.id, AttemptState.PENDING, new.request)
        assert (first.reference, first.detail) == (None, None)
        assert first.created_at == first.updated_at == START
        assert first.created_at.tzinfo is UTC

    async def test_ids_differ(self) -> None:
        assert make_attempt().id != make_attempt().id

    @pytest.mark.parametrize("request_", [{}, {"text": "\0 \ud800 😀", "n": 2**70, "x": [1.5, None, True, {"a": {}}]}])
    async def test_requests_are_kept_exactly(self, store: WriteStore, request_: Mapping[str, Any]) -> None:
        first = await opened(store, make_attempt(request=MappingProxyType(request_)))
        assert first.request == request_

    @pytest.mark.parametrize("state", STANDING)
    async def test_a_key_in_use(self, store: WriteStore, state: AttemptState) -> None:
        first = await closed(store, state, idempotency_key="key")
        with pytest.raises(DuplicateKey) as duplicate:
            await opened(store, make_attempt(idempotency_key="key", fingerprint="f2"))
        assert duplicate.value.earlier == await stored(store)
        assert duplicate.value.earlier.id == first.id
        assert first.id in str(duplicate.value)

    async def test_a_refused_attempt_is_superseded(self, store: WriteStore) -> None:
        await closed(store, AttemptState.REFUSED, idempotency_key="key")
        second = await opened(store, make_attempt(idempotency_key="key"))
        assert (await stored(store)).id == second.id
        with pytest.raises(DuplicateKey):
            await opened(store, make_attempt(idempotency_key="key"))

    async def test_keys_of_others_do_not_matter(self, store: WriteStore) -> None:
        await opened(store, make_attempt(idempotency_key="key"))
        for changes in ({"tenant": "rival"}, {"operation": "messages.submit"}, {"idempotency_key": "other"}):
            await opened(store, make_attempt(**{"idempotency_key": "key", **changes}))

    async def test_without_a_key_anything_goes(self, store: WriteStore) -> None:
        for _ in range(2):
            await opened(store, make_attempt())

    async def test_of_many_at_once_one_gets_the_key(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(opened(each, make_attempt(idempotency_key="key")) for each in (stores.one, stores.other) * 10),
            return_exceptions=True,
        )
        (won,) = (result for result in results if isinstance(result, JournalEntry))
        losers = [result for result in results if isinstance(result, DuplicateKey)]
        assert len(losers) == 19
        assert {loser.earlier.id for loser in losers} == {won.id}


class TestOpenGuarded:
    @pytest.mark.parametrize("state", STANDING)
    async def test_the_same_again(self, store: WriteStore, state: AttemptState, clock: Clock) -> None:
        earlier = await closed(store, state)
        clock.advance(minutes=5)
        with pytest.raises(DuplicateSend) as duplicate:
            await opened(store, make_attempt(), unless_since=START)
        assert (duplicate.value.earlier.id, duplicate.value.earlier.state) == (earlier.id, state)

    async def test_the_same_long_ago(self, store: WriteStore, clock: Clock) -> None:
        await opened(store, make_attempt())
        clock.advance(minutes=5)
        await opened(store, make_attempt(), unless_since=START + timedelta(microseconds=1))

    async def test_the_latest_is_told(self, store: WriteStore) -> None:
        for _ in range(2):
            latest = await opened(store, make_attempt())
        with pytest.raises(DuplicateSend) as duplicate:
            await opened(store, make_attempt(), unless_since=START)
        assert duplicate.value.earlier.id == latest.id

    async def test_the_same_refused(self, store: WriteStore) -> None:
        await closed(store, AttemptState.REFUSED)
        await opened(store, make_attempt(), unless_since=START)

    @pytest.mark.parametrize(
        "changes", [{"tenant": "rival"}, {"operation": "messages.submit"}, {"fingerprint": "f2"}], ids=str
    )
    async def test_something_else(self, store: WriteStore, changes: dict[str, str]) -> None:
        await opened(store, make_attempt())
        await opened(store, make_attempt(**changes), unless_since=START)

    async def test_a_key_in_use_comes_first(self, store: WriteStore) -> None:
        await opened(store, make_attempt(idempotency_key="key"))
        with pytest.raises(DuplicateKey):
            await opened(store, make_attempt(idempotency_key="key"), unless_since=START)

    async def test_a_new_key_does_not_help(self, store: WriteStore) -> None:
        await opened(store, make_attempt(idempotency_key="key"))
        with pytest.raises(DuplicateSend):
            await opened(store, make_attempt(idempotency_key="other"), unless_since=START)
        assert await found(store, "other") is None

    async def test_of_many_at_once_one_gets_through(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(
                opened(each, make_attempt(idempotency_key=f"key {number}"), unless_since=START)
                for number in range(10)
                for each in (stores.one, stores.other)
            ),
            return_exceptions=True,
        )
        (won,) = (result for result in results if isinstance(result, JournalEntry))
        others = [result.earlier.id for result in results if isinstance(result, DuplicateSend | DuplicateKey)]
        assert others == [won.id] * 19

    async def test_many_different_at_once_all_get_through(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(
                opened(
                    each,
                    make_attempt(fingerprint=f"{side} {number}", idempotency_key=f"{number} {side}"),
                    unless_since=START,
                )
                for number in range(10)
                for side, each in enumerate((stores.one, stores.other))
            )
        )
        assert len({result.id for result in results}) == 20


class TestStates:
    async def test_confirming(self, store: WriteStore, clock: Clock) -> None:
        attempt = await opened(store, make_attempt(idempotency_key="key"))
        await unknown(store, attempt, "timed out")
        later = clock.advance(minutes=1)
        assert await confirm(store, attempt, "7020") is True
        entry = await stored(store)
        assert (entry.state, entry.reference, entry.detail) == (AttemptState.CONFIRMED, "7020", None)
        assert (entry.created_at, entry.updated_at) == (START, later)

    @pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.UNKNOWN])
    async def test_settling(self, store: WriteStore, clock: Clock, state: AttemptState) -> None:
        attempt = await opened(store, make_attempt(idempotency_key="key"))
        later = clock.advance(minutes=1)
        assert await (refuse if state is AttemptState.REFUSED else unknown)(store, attempt, "because")
        entry = await stored(store)
        assert (entry.state, entry.reference, entry.detail) == (state, None, "because")
        assert (entry.created_at, entry.updated_at) == (START, later)

    async def test_confirmed_is_final(self, store: WriteStore) -> None:
        attempt = await closed(store, AttemptState.CONFIRMED, idempotency_key="key")
        before = await stored(store)
        assert before.reference is not None
        assert await refuse(store, attempt, "late") is False
        assert await unknown(store, attempt, "late") is False
        assert await confirm(store, attempt, "another") is False
        assert await confirm(store, attempt, before.reference) is True
        assert await stored(store) == before

    async def test_refused_is_final(self, store: WriteStore) -> None:
        attempt = await closed(store, AttemptState.REFUSED, idempotency_key="key")
        before = await stored(store)
        assert await confirm(store, attempt, "7020") is False
        assert await unknown(store, attempt, "late") is False
        assert await refuse(store, attempt, "again") is True
        assert await stored(store) == before

    async def test_unknown_may_be_said_again(self, store: WriteStore) -> None:
        attempt = await closed(store, AttemptState.UNKNOWN, idempotency_key="key")
        assert await unknown(store, attempt, "still") is True
        assert (await stored(store)).detail == "still"
        assert await refuse(store, attempt, "never arrived") is True

    async def test_attempts_that_are_not_there(self, store: WriteStore) -> None:
        nobody = models.opened(make_attempt(), START)
        assert await confirm(store, nobody, "7020") is False
        assert await refuse(store, nobody, "") is False
        assert await unknown(store, nobody, "") is False

    async def test_a_reference_belongs_to_one_attempt(self, store: WriteStore) -> None:
        first, second = await opened(store, make_attempt()), await opened(store, make_attempt(idempotency_key="key"))
        assert await confirm(store, first, "7020") is True
        assert await confirm(store, second, "7020") is False
        assert (await stored(store)).state is AttemptState.PENDING
        assert await confirm(store, second, "7021") is True

    async def test_references_of_others_do_not_matter(self, store: WriteStore) -> None:
        for changes in ({}, {"tenant": "rival"}, {"operation": "campaigns.edit_queued"}):
            attempt = await opened(store, make_attempt(**changes))
            assert await confirm(store, attempt, "7020") is True

    async def test_of_many_at_once_one_gets_the_reference(self, stores: Stores) -> None:
        attempts = [await opened(stores.one, make_attempt()) for _ in range(10)]
        results = await asyncio.gather(
            *(confirm(each, attempt, "7020") for attempt in attempts for each in (stores.one, stores.other))
        )
        assert sum(results) == 2
        assert len(await stores.one.unresolved("acme", "campaigns.create", START)) == 9

    @pytest.mark.parametrize("detail", ["", "\0 \ud800 😀", "长" * 100_000])
    async def test_any_detail_can_be_kept(self, store: WriteStore, detail: str) -> None:
        attempt = await opened(store, make_attempt(idempotency_key="key"))
        assert await unknown(store, attempt, detail)
        kept = (await stored(store)).detail
        assert kept == detail[:2000].replace("\0", "\ufffd").replace("\ud800", "?")


class TestLookingBack:
    async def test_a_key_nobody_used(self, store: WriteStore) -> None:
        await opened(store, make_attempt(tenant="rival", idempotency_key="key"))
        assert await found(store, "key") is None

    async def test_the_latest_of_several_operations(self, store: WriteStore, clock: Clock) -> None:
        await opened(store, make_attempt(idempotency_key="key"))
        clock.advance(minutes=-5)
        second = await opened(store, make_attempt(idempotency_key="key", operation="messages.submit"))
        assert (await stored(store)).id == second.id

    async def test_references(self, store: WriteStore, clock: Clock) -> None:
        for reference, changes in (("1", {}), ("2", {"tenant": "rival"}), ("3", {"operation": "messages.submit"})):
            await confirm(store, await opened(store, make_attempt(**changes)), reference)
        later = clock.advance(minutes=1)
        await confirm(store, await opened(store, make_attempt()), "4")
        await opened(store, make_attempt())
        assert await store.references("acme", "campaigns.create", START) == {"1", "4"}
        assert await store.references("acme", "campaigns.create", later) == {"4"}

    async def test_unresolved(self, store: WriteStore, clock: Clock) -> None:
        first = [await closed(store, state) for state in AttemptState]
        await opened(store, make_attempt(tenant="rival"))
        await opened(store, make_attempt(operation="messages.submit"))
        later = clock.advance(minutes=1)
        second = await closed(store, AttemptState.UNKNOWN)
        still = await store.unresolved("acme", "campaigns.create", START)
        assert [attempt.id for attempt in still] == [first[0].id, first[3].id, second.id]
        assert [attempt.state for attempt in still] == ["pending", "unknown", "unknown"]
        assert [each.id for each in await store.unresolved("acme", "campaigns.create", later)] == [second.id]

    async def test_forgetting(self, store: WriteStore, clock: Clock) -> None:
        for state in AttemptState:
            await closed(store, state)
        later = clock.advance(days=90)
        kept = await opened(store, make_attempt(idempotency_key="key"))
        assert await store.transaction(lambda: attempts.forgetting(later, 3)) == 3
        assert await store.transaction(lambda: attempts.forgetting(later, 3)) == 1
        assert await store.transaction(lambda: attempts.forgetting(later, 3)) == 0
        assert [each.id for each in await store.unresolved("acme", "campaigns.create", START)] == [kept.id]

    async def test_it_can_be_used(self, store: WriteStore) -> None:
        await store.check()
