"""Keeping secrets out of what the platform says back.

The platform's texts are passed on, and a careless one may quote the request it answers: a password in the query, the
login. A secret becomes `***` however it is quoted.
"""

import base64
import re
from collections.abc import Callable, Iterable

Redact = Callable[[str], str]

_MASK = "***"
_NOTHING = r"(?!)"
_DIGEST = re.compile(r"[0-9a-f]{32,}")
_LONG_ENOUGH = 4
"""Bytes from which a secret is also looked for in hex and inside longer base64; shorter ones are found everywhere."""
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class Redactor:
    """Masks secrets in texts.

    They are found in base64 (also inside a longer text), in hex, and in any mixture of characters as they are,
    percent-encoded any number of times, escaped with a backslash or written as XML's and HTML's references.

    Args:
        secrets: gives the secrets; called when there is a first text to mask, which few calls of a platform ever have.
    """

    __slots__ = ("_pattern", "_secrets")

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets
        self._pattern: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """Return the text with `***` in the place of each secret."""
        if self._pattern is None:
            # Made once, for it may be needed for every element of a reply.
            known = sorted({secret for secret in self._secrets() if secret}, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_quoted, known)) or _NOTHING)
        return self._pattern.sub(_MASK, text)


def redactor(secrets: Iterable[str]) -> Redact:
    """Return what masks secrets that are at hand."""
    return Redactor(lambda: secrets)


def _quoted(secret: str) -> str:
    raw = secret.encode()
    ways = [f"{_alphabets(base64.b64encode(raw).decode('ascii').rstrip('='))}=*"]
    if len(raw) >= _LONG_ENOUGH:
        ways += [_alphabets(_shifted(raw, offset)) for offset in range(3)]
        ways.append(f"(?i:{raw.hex()})")
    ways.append(f"(?i:{secret})" if _DIGEST.fullmatch(secret) else "".join(map(_character, secret)))
    return "|".join(ways)


def _shifted(raw: bytes, offset: int) -> str:
    """Return the part of a longer text's base64 that this secret alone decides, at one of three places."""
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    return encoded[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6]


def _alphabets(encoded: str) -> str:
    return re.escape(encoded).replace(r"\+", "[+-]").replace("/", "[/_]")


def _character(character: str) -> str:
    code = ord(character)
    ways = [
        "".join(f"%(?:25)*(?i:{byte:02x})" for byte in character.encode()),
        f"&#0*{code};",
        f"&#[xX]0*(?i:{code:x});",
        rf"\\u(?i:{code:04x})",
    ]
    if character in _ENTITIES:
        ways.append(f"&{_ENTITIES[character]};")
    if character == " ":
        ways.append(r"\+")
    # Last, since some of the others begin with it.
    ways.append(rf"\\?{re.escape(character)}")
    return f"(?:{'|'.join(ways)})"
