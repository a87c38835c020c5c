"""Idempotency keys in memory: time and bounds."""

import pytest

from app.policies.idempotency import MemoryIdempotencyStore, Phase, StoredAnswer, StoreUnavailable
from tests.policies.idempotency.conftest import claim, record
from tests.support.leases import Rounds

ANSWER = StoredAnswer(200, (), b"")


@pytest.fixture
def rounds() -> Rounds:
    """The time, which the test lets go by."""
    return Rounds()


@pytest.fixture
def store(rounds: Rounds) -> MemoryIdempotencyStore:
    """A store for three keys of each tenant."""
    return MemoryIdempotencyStore(most=3, retention=100, clock=rounds.clock, sleep=rounds.sleep)


async def test_a_living_request_keeps_its_lease(store: MemoryIdempotencyStore, rounds: Rounds) -> None:
    async with await claim(store, lease=9):
        for _ in range(5):
            rounds.now += 8
            await rounds.wake()
            await rounds.asleep()
        rounds.now += 8.9
        assert not (await record(store)).expired_lease
        rounds.now += 0.1
        assert (await record(store, head="another")).expired_lease


async def test_a_finished_one_does_not_renew(store: MemoryIdempotencyStore, rounds: Rounds) -> None:
    async with await claim(store, lease=9) as claimed:
        await rounds.asleep()
        await claimed.finish(ANSWER, body="body")
        assert claimed._lease._task.done()
    rounds.now = 50
    assert not (await record(store)).expired_lease


async def test_a_record_is_kept_for_its_time(store: MemoryIdempotencyStore, rounds: Rounds) -> None:
    for key in ("1", "2", "3"):
        async with await claim(store, key=key) as claimed:
            await claimed.finish(ANSWER, body="body")
        rounds.now += 10
    rounds.now = 99.9
    assert (await record(store, key="1")).phase is Phase.FINISHED
    rounds.now = 110
    for key in ("1", "2"):
        async with await claim(store, key=key):
            pass
    assert (await record(store, key="3")).phase is Phase.FINISHED


async def test_nothing_is_forgotten_early(store: MemoryIdempotencyStore, rounds: Rounds) -> None:
    for key in ("1", "2", "3"):
        async with await claim(store, key=key) as claimed:
            await claimed.sending()
    with pytest.raises(StoreUnavailable, match="as many"):
        await claim(store, key="4")
    async with await claim(store, key="4", tenant="rival"):
        pass
    assert (await record(store, key="1")).phase is Phase.SENDING
    rounds.now = 100
    async with await claim(store, key="4"):
        pass


async def test_a_key_released_makes_room(store: MemoryIdempotencyStore) -> None:
    for number in range(10):
        async with await claim(store, key=str(number)) as claimed:
            await claimed.release()
