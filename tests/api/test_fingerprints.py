"""What counts as the same request under one idempotency key."""

import hashlib
import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app.api.keyed_exchange import BodyFingerprint, head_fingerprint, idempotency_key


def fingerprint(content_type: str, *chunks: bytes) -> str:
    found = BodyFingerprint(content_type)
    for chunk in chunks:
        found.update(chunk)
    return found.finish()


def form(boundary: bytes, value: bytes) -> bytes:
    return b"--%s\r\nContent-Disposition: form-data; name=a\r\n\r\n%s\r\n--%s--\r\n" % (boundary, value, boundary)


class TestKey:
    def test_bare_and_quoted_are_the_same(self) -> None:
        assert idempotency_key(["8e03978e"]) == idempotency_key(['"8e03978e"']) == "8e03978e"

    @pytest.mark.parametrize("values", [[""], [" "], ['""'], ["a b"], ["ä"], ["a\x7f"], ["x" * 256], ["a", "a"]])
    def test_refused(self, values: list[str]) -> None:
        with pytest.raises(ValueError, match="Idempotency-Key"):
            idempotency_key(values)

    def test_longest(self) -> None:
        assert idempotency_key(["x" * 255]) == "x" * 255


class TestHead:
    def test_parts_make_a_difference(self) -> None:
        scopes = [
            {"method": method, "path": path, "query_string": query}
            for method, path, query in itertools.product(["POST", "PUT"], ["/a", "/b"], [b"", b"x=1"])
        ]
        media = [Headers({"content-type": each}) for each in ("application/json", "text/csv")]
        found = {head_fingerprint(scope, headers) for scope in scopes for headers in media}
        assert len(found) == len(scopes) * len(media)

    def test_parameters_of_the_media_type_make_none(self) -> None:
        scope = {"method": "POST", "path": "/a", "query_string": b""}
        one, other = (Headers({"content-type": f"multipart/form-data; boundary={boundary}"}) for boundary in ("x", "y"))
        assert head_fingerprint(scope, one) == head_fingerprint(scope, other)


class TestBody:
    @given(st.lists(st.binary(max_size=30), max_size=6))
    def test_cuts_make_no_difference(self, chunks: list[bytes]) -> None:
        whole = b"".join(chunks)
        assert fingerprint("application/json", *chunks) == hashlib.sha256(whole).hexdigest()

    @given(
        st.binary(max_size=40),
        st.lists(st.integers(0, 200), max_size=6),
        st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=20),
    )
    def test_boundaries_make_no_difference(self, value: bytes, cuts: list[int], boundary: str) -> None:
        assume("," not in boundary)
        body = form(boundary.encode(), value)
        places = sorted({cut % (len(body) + 1) for cut in cuts})
        chunks = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
        cut_up = fingerprint(f'multipart/form-data; boundary="{boundary}"', *chunks)
        assert cut_up == fingerprint(f"multipart/form-data; boundary={boundary}", body)

    def test_another_boundary_makes_no_difference(self) -> None:
        one = fingerprint("multipart/form-data; boundary=one", form(b"one", b"v"))
        assert one == fingerprint("multipart/form-data; boundary=another", form(b"another", b"v"))
        assert one != fingerprint("multipart/form-data; boundary=one", form(b"one", b"w"))

    def test_a_boundary_elsewhere_is_data(self) -> None:
        content_type = "application/json; boundary=a"
        assert fingerprint(content_type, b"a") != fingerprint(content_type, b"")
