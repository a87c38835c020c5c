"""The store in the process: bounded in bytes, and valid only under the versions it was read under."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from app.policies.cache import memory
from app.policies.cache.memory import MemoryStore, size_of
from app.policies.cache.model import CacheEntry, CacheKey, Windows
from tests.policies.cache.conftest import make_entry, make_key


async def put(store: MemoryStore, key: CacheKey, entry: CacheEntry) -> bool:
    """Put an entry that was read just now."""
    return await store.put(key, await store.look(key), entry, 60)


async def test_the_least_recently_used_makes_room() -> None:
    entry = make_entry("x" * 1000)
    store = MemoryStore(4 * size_of(make_key("a"), entry))
    for name in "abcd":
        assert await put(store, make_key(name), entry)
    await store.look(make_key("a"))
    await put(store, make_key("e"), entry)
    assert [name for name in "abcde" if (await store.look(make_key(name))).entry] == ["a", "c", "d", "e"]
    assert store.usage().evicted == 1


async def test_what_takes_more_than_a_quarter_is_not_kept_and_nor_is_what_it_replaces() -> None:
    key, small = make_key(), make_entry("x" * 1000)
    store = MemoryStore(4 * size_of(key, small))
    assert await put(store, key, small)
    assert not await put(store, key, make_entry("x" * 1001))
    assert (await store.look(key)).entry is None
    assert (store.usage().entries, store.usage().size) == (0, 0)


async def test_of_no_bytes_it_keeps_nothing() -> None:
    assert not await put(MemoryStore(0), make_key(), make_entry())


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4000))))
async def test_it_never_takes_more_than_it_may(puts: list[tuple[str, int]]) -> None:
    store = MemoryStore(12_000)
    for name, length in puts:
        await put(store, make_key(name), make_entry("x" * length))
        assert store.usage().size <= 12_000
    await store.purge(None, None)
    assert (store.usage().entries, store.usage().size) == (0, 0)


async def test_what_it_counts_covers_what_it_takes() -> None:
    store = MemoryStore(100_000_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            windows = Windows(number + 0.5, number + 0.25, number + 0.125)
            headers = tuple((f"X-{number}-{each}", f"{number} {each}") for each in range(4))
            entry = make_entry(f"{number}" * 20, number + 0.75, headers=headers, windows=windows)
            await put(store, CacheKey("acme", f"{number:064}", ("lists",)), entry)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < store.usage().size < 3 * taken


async def test_what_is_invalid_gives_its_memory_back_when_it_is_looked_for() -> None:
    store = MemoryStore(100_000)
    await put(store, make_key(), make_entry())
    await store.end_write("acme", ("lists",))
    assert (await store.look(make_key())).entry is None
    assert store.usage().size == 0


async def test_versions_are_bounded_and_a_forgotten_one_comes_back_as_another() -> None:
    store = MemoryStore(100_000)
    await put(store, make_key(), make_entry())
    stamp = (await store.look(make_key())).stamp
    for number in range(memory._MOST_VERSIONS):
        await store.end_write(f"tenant-{number}", ("lists",))
    assert len(store._versions._versions) == memory._MOST_VERSIONS
    renewed = await store.look(make_key())
    assert renewed.entry is None
    assert stamp is not None
    assert renewed.stamp is not None
    assert set(renewed.stamp[1:]).isdisjoint(stamp[1:])
