"""Answers in this process."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from app.policies.cache.generations import Generations
from app.policies.cache.level import Level, size_of
from app.policies.cache.model import Answer, Windows
from tests.policies.cache.conftest import make_answer

TAGS = ("lists",)


def put(level: Level, key: str, answer: Answer) -> bool:
    """Put an answer that was read just now."""
    return level.put("acme", key, TAGS, answer, level.stamp("acme", TAGS))


class TestBounds:
    def test_the_least_recently_used_makes_room(self) -> None:
        answer = make_answer("x" * 1000)
        level = Level(4 * size_of("a", answer))
        for key in "abcd":
            assert put(level, key, answer)
        level.get("acme", "a", TAGS)
        put(level, "e", answer)
        assert [key for key in "abcde" if level.get("acme", key, TAGS)] == ["a", "c", "d", "e"]

    def test_what_takes_more_than_a_quarter_is_not_kept_and_nor_is_what_it_replaces(self) -> None:
        small = make_answer("x" * 1000)
        level = Level(4 * size_of("a", small))
        assert put(level, "a", small)
        assert not put(level, "a", make_answer("x" * 1001))
        assert level.get("acme", "a", TAGS) is None
        assert (len(level), level.bytes_used) == (0, 0)

    def test_of_no_bytes_it_keeps_nothing(self) -> None:
        assert not put(Level(0), "a", make_answer())

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4000))))
    def test_it_never_takes_more_than_it_may(self, puts: list[tuple[str, int]]) -> None:
        level = Level(12_000)
        for key, length in puts:
            put(level, key, make_answer("x" * length))
            assert level.bytes_used <= 12_000
        level.clear()
        assert (len(level), level.bytes_used) == (0, 0)

    def test_what_it_counts_covers_what_it_takes(self) -> None:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            level = Level(100_000_000)
            for number in range(2000):
                windows = Windows(number + 0.5, number + 0.25, number + 0.125)
                headers = tuple((f"X-{number}-{each}", f"{number} {each}") for each in range(4))
                put(
                    level,
                    f"{number:064}",
                    make_answer(f"{number}" * 20, number + 0.75, headers=headers, windows=windows),
                )
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert taken < level.bytes_used < 3 * taken


class TestValidity:
    def test_what_is_invalid_gives_its_memory_back_when_it_is_looked_for(self) -> None:
        level = Level(100_000)
        put(level, "a", make_answer())
        level.renew("acme", ["lists"])
        assert level.get("acme", "a", TAGS) is None
        assert level.bytes_used == 0

    def test_what_was_read_under_other_tokens_stays_out(self) -> None:
        level = Level(100_000)
        stamp = level.stamp("acme", TAGS)
        level.renew("acme", ["lists"])
        assert not level.put("acme", "a", TAGS, make_answer(), stamp)

    def test_a_change_elsewhere_leaves_it_valid(self) -> None:
        level = Level(100_000)
        put(level, "a", make_answer())
        level.renew("rival", ["lists"])
        level.renew("acme", ["domains"])
        assert level.get("acme", "a", TAGS) is not None

    def test_a_forgotten_token_comes_back_as_another(self) -> None:
        generations = Generations(most=2)
        stamp = generations.stamp("acme", ["lists"])
        assert generations.stamp("acme", ["lists"]) == stamp
        generations.stamp("rival", ["lists"])
        renewed = generations.stamp("acme", ["lists"])
        assert (renewed[0], set(renewed[1:]) & set(stamp[1:])) == (stamp[0], set())
