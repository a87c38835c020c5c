"""Requests beyond a number, and whose they are."""

import pytest

from app.policies.bulkhead import Full
from app.policies.shedding import Shedder


def test_requests_beyond_a_number_are_refused() -> None:
    shedder = Shedder(2)
    with shedder:
        with shedder:
            with pytest.raises(Full) as caught, shedder:
                pass
            assert (caught.value.which, caught.value.retry_after) == ("requests", 1.0)
        with pytest.raises(KeyError), shedder:
            raise KeyError
        with shedder:
            pass


@pytest.mark.parametrize(("concurrency", "share"), [(1, 4), (5, 5), (100, 6)])
def test_a_tenant_has_a_share(concurrency: int, share: int) -> None:
    shedder = Shedder(8)
    held = [shedder.share_of("acme", concurrency) for _ in range(share)]
    for each in held:
        each.__enter__()
    with pytest.raises(Full), shedder.share_of("acme", concurrency):
        pass
    with shedder.share_of("other", concurrency):
        pass
    held[0].__exit__(None, None, None)
    with shedder.share_of("acme", concurrency):
        pass


def test_slow_bodies_make_room_in_order() -> None:
    shedder, gone = Shedder(1), list[str]()
    with shedder:
        for name in ("first", "second", "done"):
            shedder.body_is_slow(name, lambda name=name: gone.append(name))  # type: ignore[misc]
        shedder.body_is_done("done")
        with shedder, shedder:
            assert gone == ["first", "second"]
            with pytest.raises(Full), shedder:
                pass
