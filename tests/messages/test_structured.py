"""Headers that programs read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages.mime import further_field


def test_domains_become_a_labels() -> None:
    written = further_field("List-Unsubscribe", "<https://例子.com/u>, <mailto:u@例子.com>")
    assert written == b"List-Unsubscribe: <https://xn--fsqu00a.com/u>, <mailto:u@xn--fsqu00a.com>\r\n"


@pytest.mark.parametrize("name", ["List-Id", "list-unsubscribe-post", "References", "In-Reply-To", "List-Help"])
def test_other_text_outside_ascii_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        further_field(name, "新闻 <news.acme.example>")


def test_what_no_line_may_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        further_field("List-Unsubscribe", f"<https://acme.example/{'a' * 1000}>")


def test_long_ones_are_folded_at_spaces_only() -> None:
    value = ", ".join(f"<https://acme.example/{'a' * 60}/{number}>" for number in range(5))
    lines = further_field("List-Unsubscribe", value).split(b"\r\n")
    assert all(len(line) <= 120 for line in lines)
    assert b"".join(lines).removeprefix(b"List-Unsubscribe: ").decode() == value


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=100))
def test_none_is_ever_an_encoded_word(value: str) -> None:
    try:
        written = further_field("References", value)
    except ValueError:
        return
    assert b"=?" not in written or "=?" in value
    assert written.isascii()
