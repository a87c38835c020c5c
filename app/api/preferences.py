"""What a client would prefer (RFC 7240)."""

import re
from collections.abc import Iterable

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ITEM = rf"(?P<name>{_WORD})(?:[ \t]*=[ \t]*(?P<value>{_WORD}|{_QUOTED}))?"
_PREFERENCE = re.compile(rf"[ \t]*{_ITEM}(?:(?:[^,\"]|{_QUOTED})*)")
_SECONDS = re.compile(r"[0-9]{1,9}")


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Return how many seconds a client is willing to wait, as its `Prefer` headers say.

    What cannot be understood is passed over, and of several the first counts, as the RFC says.
    """
    for name, value in _preferences(",".join(headers)):
        if name == "wait":
            return int(value) if _SECONDS.fullmatch(value) else None
    return None


def _preferences(header: str) -> Iterable[tuple[str, str]]:
    at = 0
    while at <= len(header):
        match = _PREFERENCE.match(header, at)
        if match:
            yield match["name"].lower(), _unquoted(match["value"] or "")
        at = header.find(",", match.end() if match else at) + 1 or len(header) + 1


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
