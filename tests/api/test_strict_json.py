"""JSON bodies: strict, bounded before anything is built of them, and refused with the place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.strict_json import read_strict_json, strict_json
from app.errors import MalformedRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_json_is_read(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            continue
        assert strict_json(encoded) == value


@pytest.mark.parametrize(
    ("body", "place"),
    [(b"", "line 1, column 1"), (b'{"a": 1,\n "b": }', "line 2, column 7"), (b'{"a": 1} x', "line 1, column 10")],
)
def test_what_is_not_json_is_refused_with_its_place(body: bytes, place: str) -> None:
    with pytest.raises(MalformedRequest, match=place):
        strict_json(body)


@pytest.mark.parametrize(
    "body", [b"[NaN]", b"[-Infinity]", b"[1e400]", b"[-1.5E+999]", b'{"a": 1, "a": 2}', b"\xff", b'"\\ud800']
)
def test_what_readers_understand_differently_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        strict_json(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * 5_000_000, "levels"),
        (b"[" * 65 + b"]" * 65, "levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "levels"),
        (b"[" + b"1," * 4_000_000 + b"1]", "values"),
        (b"{" + b",".join(b'"%d":1' % number for number in range(1001)) + b"}", "not valid"),
    ],
    ids=["brackets", "deep lists", "deep objects", "many numbers", "many names"],
)
async def test_what_is_too_much_is_refused_before_it_is_built(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedRequest, match=reason):
        await read_strict_json(body)


@pytest.mark.parametrize("text", ["a,[{" * 100_000, '\\"' * 100_000, "\\\\" * 100_000])
async def test_what_stands_in_texts_does_not_count(text: str) -> None:
    assert await read_strict_json(json.dumps({"html": text}).encode()) == {"html": text}
