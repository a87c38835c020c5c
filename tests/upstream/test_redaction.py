"""Secrets in the platform's texts, however they are quoted."""

import base64
import hashlib
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.upstream.redaction import redactor

QUOTINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent in lower case": lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    "percent of a form": quote_plus,
    "references": html.escape,
    "references by number": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "references in hexadecimal": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
    "backslashes": lambda text: text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"'),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent thrice": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode("ascii"),
}
SECRETS = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF, exclude_categories=["C"]), min_size=1)


@given(SECRETS, st.sampled_from(sorted(QUOTINGS)))
def test_masks_every_quoting(secret: str, quoting: str) -> None:
    assert redactor([secret])(QUOTINGS[quoting](secret)) == "***"


@pytest.mark.parametrize("secret", ["p&s=w%/é", '密码 "1"', "a\\b/c"])
def test_masks_json(secret: str) -> None:
    assert redactor([secret])(f"pwd: {json.dumps(secret)[1:-1]}.") == "pwd: ***."


def test_masks_a_mixture() -> None:
    assert redactor(["p&s=w%/é x"])("<p&amp;s%3dw%25%2F%c3%A9+x> twice: p%26s=w%/é%20x") == "<***> twice: ***"


def test_masks_all_of_the_longest() -> None:
    assert redactor(["abc", "abcdef", "md5"])("abcdef abc md5 ab") == "*** *** *** ab"


@pytest.mark.parametrize("secrets", [[], [""], ["absent"]])
def test_leaves_other_texts_alone(secrets: list[str]) -> None:
    assert redactor(secrets)("参数错误") == "参数错误"


LONG = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF, exclude_categories=["C"]), min_size=4)


@given(LONG, st.booleans())
def test_masks_hex(secret: str, upper: bool) -> None:
    written = secret.encode().hex()
    assert redactor([secret])(f"<{written.upper() if upper else written}>") == "<***>"


@given(LONG, st.binary(max_size=5), st.binary(max_size=5), st.booleans())
def test_masks_base64_of_a_longer_text(secret: str, before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    masked = redactor([secret])(encode(before + secret.encode() + after).decode("ascii"))
    assert "***" in masked
    assert len(masked) <= (len(before) + len(after) + 4) * 4 // 3 + len("***") + 4


def test_masks_digests_in_either_case() -> None:
    digest = hashlib.md5(b"hunter2", usedforsecurity=False).hexdigest()
    assert redactor([digest])(f"pwd={digest.upper()} {digest}") == "pwd=*** ***"
