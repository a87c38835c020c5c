"""What every store of idempotency keys keeps to."""

import asyncio

import pytest

from app.policies.idempotency import Claim, ClaimLost, Phase, Record, StoredAnswer
from tests.policies.idempotency.conftest import SOON, Stores, ask, claim, claim_of_the_dead, expired_record, record

ANSWER = StoredAnswer(201, (("Location", "/v1/campaigns/7020"), ("ETag", '"é"')), b'{"id": 7020}\x00\xff')
OTHER = StoredAnswer(504, (), b"")


class TestClaiming:
    async def test_a_new_key(self, stores: Stores) -> None:
        async with await claim(stores.one):
            assert await record(stores.other, request_id="request-2") == Record(
                Phase.CLAIMED, "head", "body", "request-1"
            )

    async def test_a_different_request_gets_the_record_too(self, stores: Stores) -> None:
        async with await claim(stores.one):
            found = await record(stores.other, head="another", body="another")
        assert (found.head, found.body) == ("head", "body")

    async def test_the_body_may_not_be_known_yet(self, stores: Stores) -> None:
        async with await claim(stores.one, body=None) as claimed:
            assert (await record(stores.other)).body is None
            await claimed.sending(body="later")
            assert (await record(stores.other)).body == "later"

    async def test_other_tenants_and_keys_do_not_matter(self, stores: Stores) -> None:
        async with (
            await claim(stores.one),
            await claim(stores.other, tenant="rival"),
            await claim(stores.one, key="another"),
            await claim(stores.other, key="ключ \udcff"),
            await claim(stores.other, tenant="acmek", key="ey"),
        ):
            pass

    async def test_of_many_at_once_one_gets_it(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(ask(each, request_id=str(n)) for n in range(10) for each in (stores.one, stores.other))
        )
        (won,) = (result for result in results if isinstance(result, Claim))
        losers = {result for result in results if isinstance(result, Record)}
        async with won:
            assert losers == {await record(stores.one)}


class TestSending:
    async def test_it_is_noted(self, stores: Stores) -> None:
        async with await claim(stores.one) as claimed:
            await claimed.sending()
            await claimed.sending()
            assert await record(stores.other) == Record(Phase.SENDING, "head", "body", "request-1")

    async def test_a_dead_one_stays(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as claimed:
            await claimed.sending()
        found = await expired_record(stores.other)
        assert (found.phase, found.request_id) == (Phase.SENDING, "request-1")
        assert await record(stores.other) == found

    async def test_one_that_was_only_slow_may_still_finish(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as claimed:
            await claimed.sending()
            await expired_record(stores.other)
            await claimed.finish(ANSWER, body="body")
        assert (await record(stores.other)).answer == ANSWER


class TestFinishing:
    async def test_the_answer_is_kept(self, stores: Stores) -> None:
        async with await claim(stores.one, body=None) as claimed:
            await claimed.sending()
            await claimed.finish(ANSWER, body="body")
        found = await record(stores.other, request_id="request-2")
        assert found == Record(Phase.FINISHED, "head", "body", "request-1", ANSWER)

    async def test_without_sending(self, stores: Stores) -> None:
        async with await claim(stores.one) as claimed:
            await claimed.finish(ANSWER, body="body")
        assert (await record(stores.other)).phase is Phase.FINISHED

    async def test_it_is_the_end(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as claimed:
            await claimed.finish(ANSWER, body="body")
            with pytest.raises(ClaimLost, match="request-1"):
                await claimed.sending()
            with pytest.raises(ClaimLost):
                await claimed.finish(OTHER, body="body")
            await claimed.release()
        await asyncio.sleep(2 * SOON)
        found = await record(stores.other)
        assert (found.answer, found.expired_lease) == (ANSWER, False)

    async def test_who_leaves_in_between_has_finished(self, stores: Stores) -> None:
        async with await claim(stores.one) as claimed:
            await claimed.sending()
            task = asyncio.create_task(claimed.finish(ANSWER, body="body"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(10):
            while (await record(stores.other)).phase is not Phase.FINISHED:
                pass


class TestReleasing:
    async def test_the_key_may_be_used_again(self, stores: Stores) -> None:
        async with await claim(stores.one) as claimed:
            await claimed.release()
            await claimed.release()
            with pytest.raises(ClaimLost):
                await claimed.sending()
        async with await claim(stores.other, head="another"):
            pass

    async def test_while_sending_if_nothing_was_sent(self, stores: Stores) -> None:
        async with await claim(stores.one) as claimed:
            await claimed.sending()
            await claimed.release()
        async with await claim(stores.other):
            pass


class TestTakingOver:
    async def test_a_dead_request_gives_way(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as dead:
            async with await claim_of_the_dead(stores.other, request_id="request-2") as living:
                assert (await record(stores.one)).request_id == "request-2"
                with pytest.raises(ClaimLost):
                    await dead.sending()
                with pytest.raises(ClaimLost):
                    await dead.finish(OTHER, body="body")
                await dead.release()
                await living.sending()
                await living.finish(ANSWER, body="body")
            assert (await record(stores.one)).answer == ANSWER

    @pytest.mark.parametrize("changes", [{"head": "another"}, {"body": "another"}], ids=str)
    async def test_not_to_a_different_request(self, stores: Stores, changes: dict[str, str]) -> None:
        async with await claim(stores.one, lease=SOON):
            pass
        found = await expired_record(stores.other, **changes)
        assert found == Record(Phase.CLAIMED, "head", "body", "request-1", expired_lease=True)

    @pytest.mark.parametrize(("first", "second"), [(None, "body"), ("body", None), (None, None)])
    async def test_a_body_not_known_agrees_with_any(
        self, stores: Stores, first: str | None, second: str | None
    ) -> None:
        async with await claim(stores.one, body=first, lease=SOON):
            pass
        async with await claim_of_the_dead(stores.other, body=second):
            assert (await record(stores.one)).body == (first or second)

    async def test_of_many_at_once_one_takes_over(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON):
            await asyncio.sleep(2 * SOON)
            results = await asyncio.gather(*(ask(each) for each in (stores.one, stores.other) * 10))
        (won,) = (result for result in results if isinstance(result, Claim))
        async with won:
            assert {result.expired_lease for result in results if isinstance(result, Record)} == {False}


class TestSettling:
    async def test_a_dead_request_gets_its_answer(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as dead:
            await dead.sending()
            await expired_record(stores.other)
            assert await stores.other.settle("acme", "key", ANSWER, request_id="request-1") is True
            with pytest.raises(ClaimLost):
                await dead.finish(OTHER, body="body")
        assert await record(stores.one) == Record(Phase.FINISHED, "head", "body", "request-1", ANSWER)
        assert await stores.one.settle("acme", "key", OTHER, request_id="request-1") is False

    async def test_of_several_the_first_counts(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as dead:
            await dead.sending()
        await expired_record(stores.other)
        results = await asyncio.gather(
            *(
                each.settle("acme", "key", StoredAnswer(200 + n, (), b""), request_id="request-1")
                for n, each in enumerate((stores.one, stores.other) * 5)
            )
        )
        answer = (await record(stores.one)).answer
        assert answer is not None
        assert [n for n, settled in enumerate(results) if settled] == [answer.status - 200]

    async def test_nothing_else_is_settled(self, stores: Stores) -> None:
        settle = stores.other.settle
        assert await settle("acme", "key", ANSWER, request_id="request-1") is False
        async with await claim(stores.one, lease=SOON):
            pass
        await asyncio.sleep(2 * SOON)
        assert await settle("acme", "key", ANSWER, request_id="request-1") is False
        async with await claim_of_the_dead(stores.one) as living:
            await living.sending()
            assert await settle("acme", "key", ANSWER, request_id="request-1") is False

    async def test_not_for_another_request(self, stores: Stores) -> None:
        async with await claim(stores.one, lease=SOON) as dead:
            await dead.sending()
        await expired_record(stores.one)
        assert await stores.other.settle("acme", "key", ANSWER, request_id="request-2") is False


async def test_it_can_be_used(stores: Stores) -> None:
    async with stores.one.running():
        await stores.one.check()


def test_an_answers_body_is_not_shown() -> None:
    assert "7020}" not in repr(Record(Phase.FINISHED, "head", "body", "request-1", ANSWER))
