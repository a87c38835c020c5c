"""What stands in the shared store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.cache.model import CacheEntry, Windows
from app.policies.cache.sealing import Sealers, Unsealable
from app.tenants.vault import MasterKey
from tests.policies.cache.conftest import MASTER_KEY, make_entry

STAMP = (b"\x00\n", b"\xff")
_TEXTS = st.text(st.characters(min_codepoint=32))
_NUMBERS = st.floats(0, 1e10)


@given(
    st.builds(
        CacheEntry,
        found=st.booleans(),
        body=st.binary(),
        etag=_TEXTS,
        headers=st.lists(st.tuples(_TEXTS, _TEXTS)).map(tuple),
        windows=st.builds(Windows, _NUMBERS, _NUMBERS, _NUMBERS),
        stored_at=_NUMBERS,
    ),
    st.lists(st.binary()).map(tuple),
)
def test_what_was_sealed_comes_back(answer: CacheEntry, stamp: tuple[bytes, ...]) -> None:
    sealer = Sealers(MASTER_KEY).of("acme")
    assert sealer.open("key", sealer.seal("key", answer, stamp)) == (answer, stamp)


class TestUnsealable:
    sealed = Sealers(MASTER_KEY).of("acme").seal("key", make_entry("secret"), STAMP)

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_changed(self, position: int, change: int) -> None:
        changed = bytearray(self.sealed)
        changed[position % len(changed)] ^= change
        with pytest.raises(Unsealable):
            Sealers(MASTER_KEY).of("acme").open("key", bytes(changed))

    @given(st.binary())
    def test_anything_else(self, content: bytes) -> None:
        with pytest.raises(Unsealable):
            Sealers(MASTER_KEY).of("acme").open("key", content)

    @pytest.mark.parametrize(
        ("master_key", "tenant", "key"),
        [
            (MASTER_KEY, "acme", "other"),
            (MASTER_KEY, "rival", "key"),
            (MasterKey(bytes(32)), "acme", "key"),
        ],
    )
    def test_elsewhere(self, master_key: MasterKey, tenant: str, key: str) -> None:
        with pytest.raises(Unsealable):
            Sealers(master_key).of(tenant).open(key, self.sealed)

    def test_shows_neither_content_nor_keys(self) -> None:
        sealer = Sealers(MASTER_KEY).of("acme")
        assert b"secret" not in self.sealed
        assert self.sealed != sealer.seal("key", make_entry("secret"), STAMP)
        assert "acme" not in sealer.name
        assert "secret" not in repr(make_entry("secret").body.hex()) + repr(sealer)
