"""Requests beyond a number."""

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
