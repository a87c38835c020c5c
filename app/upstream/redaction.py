"""Keeping secrets out of what the platform says back.

The platform's texts are passed on, and a careless one may quote the request it answers: a password in the query, the
login. A secret becomes `***` however it is quoted.
"""

import base64
import re
from collections.abc import Callable, Iterable
from functools import cache

Redact = Callable[[str], str]

_MASK = "***"
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


def redactor(secrets: Iterable[str]) -> Redact:
    """Return a function that masks secrets in a text.

    They are found in base64, and in any mixture of characters as they are, percent-encoded, escaped with a backslash or
    written as XML's and HTML's references.
    """
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    # Few calls ever need the pattern, and those that do may need it for every element of a reply.
    pattern = cache(lambda: re.compile("|".join(map(_quoted, known))))

    def redact(text: str) -> str:
        return pattern().sub(_MASK, text) if known else text

    return redact


def _quoted(secret: str) -> str:
    encoded = base64.b64encode(secret.encode()).decode("ascii").rstrip("=")
    return f"{re.escape(encoded)}=*|{''.join(map(_character, secret))}"


def _character(character: str) -> str:
    code = ord(character)
    ways = [
        "".join(f"%(?i:{byte:02x})" for byte in character.encode()),
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
