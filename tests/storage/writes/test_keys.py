"""What idempotency keys keep to, in each kind of database."""

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import pytest

from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.writes import keys
from app.storage.writes.endings import Answered, Ending
from app.storage.writes.models import AttemptState, Confirmed, DuplicateSend, KeyClaim, KeyTaken, KeyUse, StoredAnswer
from app.storage.writes.store import WriteStore
from tests.storage.writes.conftest import MASTER_KEY, Stores, opened_store
from tests.support.attempts import START, make_attempt

CLAIM = KeyClaim("acme", "key", "head", "request-1")
ANSWER = StoredAnswer(201, (("location", "/v1/lists/9"),), '{"id": 9, "name": "新"}'.encode())
ANSWERED = Answered(ANSWER, "body", frozenset({"campaigns:write", "lists:write"}))


async def used(store: WriteStore, key: str = "key") -> KeyUse:
    use = (await store.find("acme", key)).use
    assert use is not None
    return use


async def answer(store: WriteStore, key: str, body: bytes = b"answer") -> None:
    """Carry out a request with a key."""
    claim = replace(CLAIM, key=key)
    await store.begin(None, claim=claim)
    await store.end(Ending(claim=claim, answered=Answered(StoredAnswer(200, (), body), "body"), left=True))


def failing() -> Steps[None]:
    yield [Statement("DELETE FROM leases WHERE name = 'nobody'")]
    raise LookupError


def noting(name: str) -> Any:
    sql = "INSERT INTO leases (name, holder, expires_at) VALUES (:name, 'test', {now} + 60)"

    def steps() -> Steps[None]:
        yield [Statement(sql, {"name": name})]

    return steps


async def noted(store: WriteStore, name: str) -> bool:
    def steps() -> Steps[bool]:
        (found,) = yield [Statement("SELECT 1 FROM leases WHERE name = :name", {"name": name})]
        return bool(found)

    return await store.reading(steps)


class TestClaiming:
    async def test_a_claim_is_seen_by_others(self, stores: Stores) -> None:
        assert await stores.one.begin(None, claim=CLAIM, resumable=True) is None
        use = await used(stores.other)
        assert (use.head, use.request_id, use.alive, use.resumable) == ("head", "request-1", True, True)
        assert (use.body, use.status, use.answer) == (None, None, None)
        with pytest.raises(KeyTaken):
            await stores.other.begin(None, claim=replace(CLAIM, request_id="request-2"))

    async def test_of_many_at_once_one_gets_it(self, stores: Stores) -> None:
        claims = [replace(CLAIM, request_id=f"request-{number}") for number in range(20)]
        pairs = zip((stores.one, stores.other) * 10, claims, strict=True)
        results = await asyncio.gather(
            *(store.begin(None, claim=claim) for store, claim in pairs), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in results) == ["KeyTaken"] * 19 + ["NoneType"]

    async def test_a_refused_attempt_takes_no_key(self, store: WriteStore) -> None:
        await store.begin(make_attempt())
        with pytest.raises(DuplicateSend):
            await store.begin(make_attempt(), claim=CLAIM, unless_since=START)
        assert (await store.find("acme", "key")).use is None

    async def test_a_taken_key_opens_no_attempt(self, store: WriteStore) -> None:
        await store.begin(None, claim=CLAIM)
        with pytest.raises(KeyTaken):
            await store.begin(make_attempt(), claim=replace(CLAIM, request_id="request-2"))
        assert await store.unresolved("acme", "campaigns.create", START) == []

    @pytest.mark.parametrize("sends", [True, False])
    async def test_what_rides_along_shares_its_fate(self, store: WriteStore, sends: bool) -> None:
        attempt = make_attempt() if sends else None
        with pytest.raises(LookupError):
            await store.begin(attempt, claim=CLAIM, also=[noting("first"), failing])
        assert (await store.find("acme", "key")).use is None
        assert await store.unresolved("acme", "campaigns.create", START) == []
        assert not await noted(store, "first")
        await store.begin(attempt, claim=CLAIM, also=[noting("first")])
        assert await noted(store, "first")

    async def test_a_dead_process_holds_nothing(self, database_url: str) -> None:
        async with opened_store(database_url, lease=0.2) as dying:
            await dying.begin(None, claim=CLAIM)
            assert (await used(dying)).alive
        async with opened_store(database_url) as store:
            while (await used(store)).alive:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.02)
            with pytest.raises(KeyTaken):
                await store.begin(None, claim=replace(CLAIM, request_id="request-2"))
            await store.settle(CLAIM, ANSWERED)
            assert (await used(store)).answer == ANSWER


class TestEnding:
    async def test_an_answer_is_kept_with_what_it_needed(self, stores: Stores) -> None:
        attempt = await stores.one.begin(make_attempt(idempotency_key="key"), claim=CLAIM)
        ending = Ending(attempt=attempt, outcome=Confirmed("7"), claim=CLAIM, answered=ANSWERED, also=[noting("also")])
        assert await stores.one.end(ending)
        found = await stores.other.find("acme", "key")
        assert found.use == KeyUse("head", "body", "request-1", False, True, ANSWERED.scopes, 201, ANSWER)
        assert found.attempt is not None
        assert found.attempt.state is AttemptState.CONFIRMED
        assert await noted(stores.other, "also")

    async def test_what_rides_along_undoes_the_ending(self, store: WriteStore) -> None:
        await store.begin(None, claim=CLAIM)
        with pytest.raises(LookupError):
            await store.end(Ending(claim=CLAIM, answered=ANSWERED, also=[failing]))
        assert (await used(store)).status is None

    async def test_a_released_key_is_free(self, store: WriteStore) -> None:
        await store.begin(None, claim=CLAIM)
        await store.end(Ending(claim=CLAIM))
        assert (await store.find("acme", "key")).use is None
        await store.begin(None, claim=replace(CLAIM, request_id="request-2"))

    async def test_an_abandoned_key_says_that_something_left(self, store: WriteStore) -> None:
        await store.begin(None, claim=CLAIM)
        await store.end(Ending(claim=CLAIM, left=True))
        use = await used(store)
        assert (use.alive, use.status) == (False, None)

    async def test_only_the_claims_own_request_ends_it(self, store: WriteStore) -> None:
        await store.begin(None, claim=CLAIM)
        other = replace(CLAIM, request_id="request-2")
        for ending in (Ending(claim=other), Ending(claim=other, left=True), Ending(claim=other, answered=ANSWERED)):
            await store.end(ending)
        use = await used(store)
        assert (use.alive, use.status) == (True, None)

    async def test_a_living_request_is_not_settled_by_others(self, stores: Stores) -> None:
        await stores.one.begin(None, claim=CLAIM)
        await stores.other.settle(CLAIM, ANSWERED)
        assert (await used(stores.one)).status is None

    async def test_an_answer_is_final(self, store: WriteStore) -> None:
        await answer(store, "key")
        for ending in (Ending(claim=CLAIM), Ending(claim=CLAIM, left=True), Ending(claim=CLAIM, answered=ANSWERED)):
            await store.end(ending)
        assert (await used(store)).answer == StoredAnswer(200, (), b"answer")

    @pytest.mark.parametrize(
        ("body", "kept"),
        [
            (b"x" * 1_000_000, True),
            (secrets.token_bytes(keys.LARGE - 100), True),
            (secrets.token_bytes(keys.LARGE + 1), False),
            (b"", True),
        ],
        ids=["compressed", "as it is", "not kept", "empty"],
    )
    async def test_large_answers(self, store: WriteStore, body: bytes, kept: bool) -> None:
        await answer(store, "key", body)
        use = await used(store)
        assert use.status == 200
        assert use.answer == (StoredAnswer(200, (), body) if kept else None)


class TestForgetting:
    async def test_a_key_lives_its_time(self, database_url: str) -> None:
        async with opened_store(database_url, keys_kept=0.3) as store:
            await answer(store, "key")
            assert (await used(store)).status == 200
            while (await store.find("acme", "key")).use is not None:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.02)
            again = replace(CLAIM, request_id="request-2")
            await store.begin(None, claim=again)
            assert (await used(store)).request_id == "request-2"
            assert (await used(store)).answer is None

    async def test_old_keys_are_swept(self, database_url: str) -> None:
        database = Database(database_url)

        def some() -> Steps[None]:
            for number in range(6):
                claim = replace(CLAIM, key=f"key {number}")
                yield [keys.claiming(claim, holder="x", resumable=False, retention=-1 if number else 60)]

        async with database.running():
            await database.write(some)
            assert [await database.write(lambda: keys.expiring(3)) for _ in range(3)] == [3, 2, 0]

    @pytest.mark.parametrize("bounds", [{"most_answers": 20}, {"most_bytes": 2000}], ids=["number", "bytes"])
    async def test_of_the_oldest_answers_only_a_digest_stays(self, database_url: str, bounds: dict[str, int]) -> None:
        async with opened_store(database_url, **bounds) as store:
            await store.begin(None, claim=KeyClaim("rival", "key", "head", "request-1"))
            for number in range(40):
                await answer(store, f"key {number}", b"x" * 100)
            while (await store.reading(lambda: keys.kept_of("acme")))[0] > 20:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.02)
            count, size = await store.reading(lambda: keys.kept_of("acme"))
            assert 10 <= count <= 20
            assert size <= 20 * 200
            oldest, newest = await used(store, "key 0"), await used(store, "key 39")
            assert (oldest.status, oldest.answer, oldest.body) == (200, None, "body")
            assert newest.answer is not None
            with pytest.raises(KeyTaken):
                await store.begin(None, claim=replace(CLAIM, key="key 0", request_id="request-2"))


async def test_a_store_runs_again_in_another_loop(database_url: str) -> None:
    def run_twice() -> None:
        database = Database(database_url)
        store = WriteStore(database, MASTER_KEY, sweep_interval=0.01)

        async def run(round_: int) -> None:
            async with database.running(), store.running():
                await asyncio.gather(*(answer(store, f"{round_} {number}") for number in range(40)))
                async with store.holding("campaign", 1, wait=5):
                    await asyncio.sleep(0.03)

        for round_ in range(2):
            asyncio.run(run(round_))

    await asyncio.to_thread(run_twice)
