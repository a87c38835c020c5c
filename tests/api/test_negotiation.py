"""Preferences of clients (RFC 7240)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.negotiation import preferred_wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=10"], 10),
        (["wait=0"], 0),
        (["Wait = 10"], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=10; strict, handling=lenient"], 10),
        (['wait="10"'], 10),
        ([r'wait="1\0"'], 10),
        (['note="a, wait=1", wait=2'], 2),
        (["wait=1, wait=2"], 1),
        (["wait=x, wait=2"], None),
        (["wait"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=１"], None),
        (["wait=99999999999"], None),
        (["note; wait=2"], None),
        (["note; a=b, wait=2"], 2),
        (["=, wait=2"], 2),
        ([",,wait=2"], 2),
    ],
)
def test_wait(headers: list[str], seconds: int | None) -> None:
    assert preferred_wait(headers) == seconds


@given(st.lists(st.text('wait=19,;"\\ \t')))
def test_no_header_is_too_strange(headers: list[str]) -> None:
    assert preferred_wait(headers) is None or preferred_wait(headers) in range(10**9)
