"""Words that look like others: a small letter for a small letter, a digit for a digit, a character for a character."""

from collections.abc import Callable
from dataclasses import dataclass

_NO_WORDS = r"\x00-\x7f\s\x80-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\udc80-\udcff\ufeff\ufff0-\uffff"
WORD = rf"(?:[0-9A-Za-z]|[^{_NO_WORDS}])+"
"""Letters, digits and whatever else belongs to words in any script, down to marks and pictures."""

_SMALL, _LARGE, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Which characters stand for those beyond ASCII.

    Args:
        latin: for those up to U+00FF.
        others: for all others.
    """

    latin: str
    others: str


_LATIN = "àáâãäåæçèéêë"
CHINESE = Alphabet("文字名人山水天地日月木火土金", "文字名人山水天地日月木火土金")
"""In GB 18030 as in Big5."""
WIDE = Alphabet(_LATIN, CHINESE.others)
NARROW = Alphabet(_LATIN, _LATIN)


def alphabet_of(encoding: str) -> Alphabet:
    """Return what can be written in a codec."""
    return {"cp1252": NARROW, "big5": CHINESE}.get(encoding, WIDE)


def word_like(word: str, alphabet: Alphabet) -> tuple[str, Callable[[int], str]]:
    """Return a word's shape, and what makes the n-th word of that shape."""
    classes = [_class_of(character, alphabet) for character in word]
    shape = "".join(each[0] for each in classes)
    return shape, lambda number: _nth(classes, number)


def _class_of(character: str, alphabet: Alphabet) -> str:
    for ascii_class in (_SMALL, _LARGE, _DIGITS):
        if character in ascii_class:
            return ascii_class
    return alphabet.latin if character <= "\xff" else alphabet.others


def _nth(classes: list[str], number: int) -> str:
    written = []
    for each in reversed(classes):
        number, place = divmod(number, len(each))
        written.append(each[place])
    return "".join(reversed(written))
