"""Stand-ins for what a reply says: of the same shape, the same for the same value, and nothing about anybody."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_NO_WORDS = r"\x00-\x7f\s\x80-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\udc80-\udcff\ufeff\ufff0-\uffff"
WORD = rf"(?:[0-9A-Za-z]|[^{_NO_WORDS}])+"
"""Letters, digits and whatever else belongs to words in any script, down to marks and pictures."""

_SMALL, _LARGE, _NUMERALS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Which characters stand for those beyond ASCII."""

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
    for ascii_class in (_SMALL, _LARGE, _NUMERALS):
        if character in ascii_class:
            return ascii_class
    return alphabet.latin if character <= "\xff" else alphabet.others


def _nth(classes: list[str], number: int) -> str:
    written = []
    for each in reversed(classes):
        number, place = divmod(number, len(each))
        written.append(each[place])
    return "".join(reversed(written))


_ENTITY = r"&(?:amp|lt|gt|quot|apos);"
_URL_CHARACTER = r"""(?:&amp;|&(?!(?:lt|gt|quot|apos);)|(?!\]\])[^\s<>"'|,;&\x00-\x1f\udc80-\udcff])"""
_BARE = re.compile(r"&(?!#?\w+;)")
# Bounded, so that a long text without an address is not looked through again from each of its words.
_OF_ADDRESS = r"""[^\s@,;:"'<>()\[\]|&!?=/\\\x00-\x1f\udc80-\udcff\ufeff]{1,254}+"""
_TOKEN = re.compile(
    rf"""(?P<kept>{_ENTITY}|!\[CDATA\[)"""
    r"""|(?P<reference>&#(?:[0-9]+|[xX][0-9a-fA-F]+);)"""
    rf"""|(?P<url>[A-Za-z][A-Za-z0-9+.-]{{0,20}}://{_URL_CHARACTER}+)"""
    rf"""|(?P<address>{_OF_ADDRESS}@{_OF_ADDRESS})"""
    r"""|(?P<time>(?<!\d)\d{4}-\d{1,2}-\d{1,2}(?:[ T]\d{1,2}:\d{1,2}(?::\d{1,2})?)?(?!\d))"""
    r"""|(?P<network>(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]))"""
    r"""|(?P<network6>(?<![\w:])(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|[0-9a-fA-F:]*::[0-9a-fA-F:]*)(?![\w:]"""
    rf"""|{_OF_ADDRESS}@))"""
    r"""|(?P<domain>(?<![\w.-])(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![\w-]))"""
    r"""|(?P<amount>(?<![\w.,-])[0-9]+(?= ?(?:KB?|封)(?!\w)))(?P<unit> ?(?:KB?|封))"""
    rf"""|(?P<word>{WORD})"""
    r"""|(?P<lost>[\udc80-\udcff]+)"""
)
_DIGITS = re.compile(r"[0-9]+")
_ZERO_DATE = re.compile(r"0000-0?0-0?0(?:[ T]0?0:0?0(?::0?0)?)?")
_PARTS = re.compile(r"\d+|\D")
_NO_DATE = ("2020", "13", "01")
_FIRST_DAY = date(2020, 1, 1)
_NOON = ("12", "00", "00")
_LOST_BYTE = "\udcff"
"""Cannot be decoded in any encoding that the platform uses, and takes no byte behind it along."""


class Scrubber:
    """Gives stand-ins, the same for the same value for as long as it lives."""

    def __init__(self) -> None:
        self._given: dict[str, dict[str, str]] = {}
        self._stand_ins: dict[str, Callable[[str], str]] = {
            "kept": str,
            "reference": _scrub_reference,
            "url": self._url,
            "address": self._numbered("address", "user{}@example.com"),
            "time": self._time,
            "network": self._remembered("network", lambda number: f"192.0.2.{number % 254 + 1}"),
            "network6": self._remembered("network6", lambda number: f"2001:db8::{number % 9999 + 1}"),
            "domain": self._numbered("domain", "domain{}.example"),
            "lost": lambda lost: _LOST_BYTE * len(lost),
        }

    def text(self, value: str, alphabet: Alphabet, *, is_id: bool = False) -> str:
        """Return a text's stand-in."""

        def stand_in(match: re.Match[str]) -> str:
            kind = match.lastgroup or ""
            if kind == "word":
                return self._word(match[0], alphabet, is_id=is_id)
            if kind == "unit":
                return self._number(match["amount"], is_id=is_id) + match["unit"]
            return self._stand_ins[kind](match[0])

        return _TOKEN.sub(stand_in, value)

    def _word(self, value: str, alphabet: Alphabet, *, is_id: bool) -> str:
        if _DIGITS.fullmatch(value):
            return self._number(value, is_id=is_id)
        shape, stand_in = word_like(value, alphabet)
        return self._remember(f"word {shape}", value, stand_in)

    def _number(self, value: str, *, is_id: bool) -> str:
        digits = value.lstrip("0")
        if not digits or (value == digits and len(value) == 1 and not is_id):
            return value
        first = 10 ** (len(digits) - 1)
        stand_in = self._remember(f"number {len(digits)}", digits, lambda number: str(first + number % (9 * first)))
        return value.removesuffix(digits) + stand_in

    def _url(self, value: str) -> str:
        """Return another address, with a bare ampersand for one: it is read all the same, and told of."""
        stand_in = self._remember("url", value, lambda number: f"https://link{number + 1}.example/")
        return f"{stand_in}?a&b" if _BARE.search(value) else stand_in

    def _time(self, value: str) -> str:
        """Return another noon for a time, and no time for what is none."""
        if _ZERO_DATE.fullmatch(value):
            return value
        parts = _PARTS.findall(value)
        numbers = [int(part) for part in parts[::2]]
        try:
            datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001 - only whether it is one
        except ValueError:
            return _written(parts, _NO_DATE)

        # The day asked for is the day of the answer, whatever time is written behind it.
        day = "-".join(map(str, numbers[:3]))
        stand_in = self._remember("day", day, lambda number: str(_FIRST_DAY + timedelta(days=number)))
        return _written(parts, tuple(str(int(part)) for part in stand_in.split("-")))

    def _numbered(self, kind: str, form: str) -> Callable[[str], str]:
        return self._remembered(kind, lambda number: form.format(number + 1))

    def _remembered(self, kind: str, make: Callable[[int], str]) -> Callable[[str], str]:
        return lambda value: self._remember(kind, value, make)

    def _remember(self, kind: str, value: str, make: Callable[[int], str]) -> str:
        given = self._given.setdefault(kind, {})
        if value not in given:
            given[value] = make(len(given))
        return given[value]


def _written(parts: list[str], numbers: Iterable[str]) -> str:
    """Write numbers with the separators and the leading zeros of others."""
    written = [number.rjust(len(part), "0") for number, part in zip((*numbers, *_NOON), parts[::2], strict=False)]
    separators = [*parts[1::2], ""]
    return "".join(number + separator for number, separator in zip(written, separators, strict=True))


def _scrub_reference(reference: str) -> str:
    """Return a letter in place of a letter or digit; a reference to another character says nothing."""
    number = reference[2:-1]
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    if code > 0x10FFFF or not (chr(code).isalnum() or code > 0x7F):
        return reference
    return "&#x61;" if number[0] in "xX" else "&#97;"
