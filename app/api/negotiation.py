"""What requests say in lists, parameters and quoted strings (RFC 9110, sections 5.6, 8.3 and 12.5; RFC 7240).

Every reader here goes through its header once: nobody outside chooses how long that takes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from starlette.datastructures import Headers

_SPECIAL = re.compile(r'[",;\\]')
_SECONDS = re.compile(r"[0-9]{1,9}")


def split_unquoted(text: str, separator: str) -> Iterator[str]:
    """Split at `,` or `;`, but not within quoted strings; one that does not end goes on to the end."""
    begin, skipped, quoted = 0, -1, False
    for found in _SPECIAL.finditer(text):
        at, character = found.start(), found[0]
        if at == skipped:
            continue
        if character == '"':
            quoted = not quoted
        elif quoted and character == "\\":
            skipped = at + 1
        elif character == separator and not quoted:
            yield text[begin:at]
            begin = at + 1
    yield text[begin:]


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def media_type_of(content_type: str) -> tuple[str, dict[str, str]]:
    """Return a media type in lower case, empty if it is none, and its parameters; of equal ones the first counts."""
    essence, *parameters = split_unquoted(content_type, ";")
    found: dict[str, str] = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    media_type = essence.strip().lower()
    return (media_type if media_type.count("/") == 1 else ""), found


def is_json(content_type: str) -> bool:
    media_type, parameters = media_type_of(content_type)
    is_utf8 = parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8", "us-ascii"}
    return is_utf8 and (media_type == "application/json" or media_type.endswith("+json"))


def preferred_wait(headers: Iterable[str]) -> int | None:
    """Return how many seconds a client is willing to wait, as its `Prefer` headers say (RFC 7240).

    What cannot be understood is passed over, and of several the first counts.
    """
    for preference in split_unquoted(",".join(headers), ","):
        name, _, value = next(split_unquoted(preference, ";")).partition("=")
        if name.strip().lower() == "wait":
            seconds = _unquoted(value.strip())
            return int(seconds) if _SECONDS.fullmatch(seconds) else None
    return None


def accept_header(headers: Headers) -> str:
    """Return the Accept header, its lines joined (RFC 9110, section 5.3)."""
    return ",".join(headers.getlist("accept"))


def accepts(accept: str, media_type: str) -> bool:
    """Tell whether an Accept header admits a media type."""
    return quality(accept, media_type) > 0


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Return the media type offered that an Accept header ranks highest, the first of equals; None if none will do."""
    best = max(offered, key=lambda media_type: quality(accept, media_type))
    return best if accepts(accept, best) else None


def quality(accept: str, media_type: str) -> float:
    """Return the weight (0 to 1) an Accept header gives a media type; the most specific range that matches decides."""
    if not accept.strip():
        return 1.0
    main = media_type.partition("/")[0]
    weights = {"*/*": -1.0, f"{main}/*": -1.0, media_type: -1.0}
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_range in weights:
            weights[media_range] = max(weights[media_range], _quality(parameters))
    specific_first = (weights[media_type], weights[f"{main}/*"], weights["*/*"])
    return next((weight for weight in specific_first if weight >= 0), 0.0)


def prefers_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header admits gzip and does not rank the plain form higher.

    Without the header the answer stays as it is: many a client that sends none cannot undo it.
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[coding] = _quality(parameters)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
