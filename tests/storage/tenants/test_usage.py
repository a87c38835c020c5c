"""Collecting which keys are used."""

from collections.abc import Mapping
from datetime import datetime

import pytest

from app.storage.tenants import lookups as usage
from app.storage.tenants.lookups import KeyUsage
from tests.support.clocks import Clock


async def test_a_key_is_noted_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[set[tuple[str, str]]] = []

    async def touch(uses: Mapping[tuple[str, str], datetime]) -> None:
        written.append(set(uses))

    clock = Clock()
    used = KeyUsage(touch, apart=300, monotonic=clock)
    for seconds in (0, 299, 1):
        clock.now += seconds
        used.note("acme", "web")
        await used.flush()
    assert written == [{("acme", "web")}] * 2
    monkeypatch.setattr(usage, "_MOST", 2)
    for key in ("one", "two", "three"):
        used.note("acme", key)
    assert len(used._noted) <= 2
    await used.flush()
    assert written[2] == {("acme", "one"), ("acme", "two"), ("acme", "three")}
